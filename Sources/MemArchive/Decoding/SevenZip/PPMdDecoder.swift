#if FastDecoders
/// Decodes 7-Zip's PPMd (variant H) by libarchive, which is given a 7z that holds nothing else: one folder of one coder.
final class PPMdDecoder: ByteSource {
  private let handle: ArchiveHandle
  private let source: any ByteSource
  private var rest: Int64

  /// - Parameter packedSize: The number of bytes of `source`.
  init(
    _ source: any ByteSource, _ coder: SevenZipFolder.Coder, packedSize: Int64
  ) throws(ArchiveError) {
    guard coder.properties.count == 5 else { throw .sevenZipHeader("has impossible options of PPMd") }
    self.source = source
    rest = coder.size
    handle = try ArchiveHandle.sevenZip(
      MinimalSevenZip(source, properties: coder.properties, packedSize: packedSize, size: coder.size))
  }

  var progress: SourceProgress { source.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard rest > 0 else { return 0 }
    let count = try handle.readData(into: &buffer)
    guard count > 0 else { throw .corrupt("the PPMd data ends too early") }
    rest -= Int64(count)
    return count
  }
}

/// A 7z of one nameless file around a source's bytes. They are read once and in order, and the rest at any place.
private final class MinimalSevenZip: SeekableSource {
  private let source: any ByteSource
  private let front: [UInt8]
  private let header: [UInt8]
  private let packed: Range<Int64>
  /// Where the source is.
  private var sourcePosition: Int64
  var position: Int64 = 0

  init(_ source: any ByteSource, properties: [UInt8], packedSize: Int64, size: Int64) {
    func number(_ value: Int64) -> [UInt8] { [0xFF] + UInt64(value).littleEndianBytes }
    // 7zFormat.txt: the packed stream; its folder with PPMd; its only content; a file "a".
    var header: [UInt8] = [0x01, 0x04, 0x06, 0x00, 0x01, 0x09] + number(packedSize) + [0x00]
    header += [0x07, 0x0B, 0x01, 0x00, 0x01, 0x23, 0x03, 0x04, 0x01, UInt8(properties.count)] + properties
    header += [0x0C] + number(size) + [0x00, 0x08, 0x00, 0x00]
    header += [0x05, 0x01, 0x11, 0x05, 0x00, 0x61, 0x00, 0x00, 0x00, 0x00, 0x00]
    let place =
      UInt64(packedSize).littleEndianBytes + UInt64(header.count).littleEndianBytes
      + CRC32.of(header).littleEndianBytes
    front = SevenZipSignature.magic + [0, 4] + CRC32.of(place).littleEndianBytes + place
    self.header = header
    self.source = source
    packed = Int64(front.count)..<Int64(front.count) + packedSize
    sourcePosition = packed.lowerBound
  }

  var size: Int64 { packed.upperBound + Int64(header.count) }
  var progress: SourceProgress { source.progress }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if offset >= packed.upperBound {
      return Self.copy(header, from: offset - packed.upperBound, into: &buffer)
    }
    if offset < packed.lowerBound { return Self.copy(front, from: offset, into: &buffer) }
    guard offset == sourcePosition else { throw .corrupt("the PPMd data is not read in order") }
    var part = buffer._mutatingExtracting(
      0..<min(buffer.byteCount, Int(clamping: packed.upperBound - offset)))
    let count = try source.read(into: &part)
    guard count > 0 else { throw .corrupt("the PPMd data ends too early") }
    sourcePosition += Int64(count)
    return count
  }

  private static func copy(_ bytes: [UInt8], from start: Int64, into buffer: inout MutableRawSpan) -> Int {
    guard start < bytes.count else { return 0 }
    let end = min(bytes.count, Int(start) + buffer.byteCount)
    unsafe buffer.copy(bytes.span.bytes.extracting(Int(start)..<end))
    return end - Int(start)
  }
}
#endif
