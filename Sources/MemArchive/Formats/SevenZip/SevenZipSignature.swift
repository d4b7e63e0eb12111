#if FastDecoders
internal import Libc

/// The first 32 bytes of a 7z, which say where its header is (7zFormat.txt, "SignatureHeader").
struct SevenZipSignature {
  /// Where it begins in the file.
  let start: Int64
  /// The place of the header, which the archive ends with; empty if it has no entries.
  let header: Range<Int64>
  let headerChecksum: UInt32

  static let size = 32
  static let magic: [UInt8] = [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]

  /// The bytes that may hold packed streams.
  var packed: Range<Int64> { start + Int64(Self.size)..<header.lowerBound }

  /// - Parameter bytes: Those at `start`.
  private init(_ bytes: [UInt8], at start: Int64) throws(ArchiveError) {
    guard bytes.count == Self.size else {
      throw .truncated("the 7z ends inside its first \(Self.size) bytes")
    }
    var checksum = CRC32()
    unsafe checksum.update(bytes.span.bytes.extracting(12..<Self.size))
    guard checksum.value == bytes.little(UInt32.self, at: 8) else {
      throw .corrupt("the 7z's first \(Self.size) bytes are damaged, or it was never finished")
    }
    guard bytes[6] == 0 else {
      throw ArchiveError(
        .unsupportedFeature, "the 7z is of version \(bytes[6]), and 0 is the only known one",
        advice: "Unpack it with the program that made it.")
    }
    let front = UInt64(start) + UInt64(Self.size)
    let (headerStart, overflow) = front.addingReportingOverflow(bytes.little(UInt64.self, at: 12))
    let (end, endOverflow) = headerStart.addingReportingOverflow(bytes.little(UInt64.self, at: 20))
    guard !overflow, !endOverflow, end <= UInt64(Int64.max) else {
      throw .corrupt("the 7z has its header beyond the end of any file")
    }
    self.start = start
    header = Int64(headerStart)..<Int64(end)
    headerChecksum = bytes.little(UInt32.self, at: 28)
  }

  /// The signature at the beginning of a file.
  init(beginning content: any SeekableSource) throws(ArchiveError) {
    try self.init(try content.bytes(Self.size, at: 0), at: 0)
  }

  /// The first signature after a program that unpacks the archive, however long it is; nil if there is none. Its checksum
  /// tells it from the same bytes in the program, which has to know them.
  init?(after content: any SeekableSource, _ cancellation: Cancellation) throws(ArchiveError) {
    guard Self.isProgram(try content.bytes(4, at: 0)) else { return nil }
    var block = [UInt8](repeating: 0, count: 256 << 10)
    var offset: Int64 = 0
    while offset + Int64(Self.size) <= content.size {
      try cancellation.check()
      let count = try content.read(into: &block, count: block.count, at: offset)
      guard count >= Self.size else { return nil }
      for place in unsafe Self.places(in: block.span.bytes, count) {
        let bytes = try content.bytes(Self.size, at: offset + Int64(place))
        if let found = try? Self(bytes, at: offset + Int64(place)), found.header.upperBound <= content.size,
          !found.header.isEmpty
        {
          self = found
          return
        }
      }
      // The next block begins where a magic that this one cuts would.
      offset += Int64(count - Self.magic.count + 1)
    }
    return nil
  }

  private static func places(in block: RawSpan, _ count: Int) -> [Int] {
    unsafe block.withUnsafeBytes { bytes in
      var places: [Int] = []
      var index = 0
      while index + magic.count <= count {
        guard
          let next = unsafe memchr(
            bytes.baseAddress.unsafelyUnwrapped + index, CInt(magic[0]), count - magic.count + 1 - index)
        else { break }
        index = unsafe next - UnsafeMutableRawPointer(mutating: bytes.baseAddress.unsafelyUnwrapped)
        if unsafe bytes[index..<index + magic.count].elementsEqual(magic) { places.append(index) }
        index += 1
      }
      return places
    }
  }

  /// Whether a file begins like a program of Windows, of ELF, of macOS, or a script.
  private static func isProgram(_ head: [UInt8]) -> Bool {
    let starts: [[UInt8]] = [
      Array("MZ".utf8), [0x7F] + Array("ELF".utf8), Array("#!".utf8), [0xCF, 0xFA, 0xED, 0xFE],
      [0xCA, 0xFE, 0xBA, 0xBE],
    ]
    return starts.contains { head.starts(with: $0) }
  }
}
#endif
