#if FastDecoders
/// Reads a 7z header from its front to its end; every number is checked against the bytes that are left.
struct SevenZipBytes {
  let bytes: [UInt8]
  private(set) var position: Int
  let end: Int

  init(_ bytes: [UInt8]) {
    self.init(bytes, 0..<bytes.count)
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    (self.bytes, position, end) = (bytes, range.lowerBound, range.upperBound)
  }

  /// The number of bytes left.
  var left: Int { end - position }

  mutating func byte() throws(ArchiveError) -> UInt8 {
    guard left > 0 else { throw .sevenZipHeader("ends too early") }
    defer { position += 1 }
    return bytes[position]
  }

  /// A number of one to nine bytes: the first tells how many follow by its leading ones, and has the highest bits.
  mutating func number() throws(ArchiveError) -> UInt64 {
    let first = try byte()
    var (mask, value) = (UInt8(0x80), UInt64(0))
    for shift in stride(from: UInt64(0), to: 64, by: 8) {
      guard first & mask != 0 else { return value | UInt64(first & (mask &- 1)) << shift }
      value |= UInt64(try byte()) << shift
      mask >>= 1
    }
    return value
  }

  /// A number of bytes or offset in the file.
  mutating func size() throws(ArchiveError) -> Int64 {
    guard let size = Int64(exactly: try number()) else { throw .sevenZipHeader("has a size beyond 8 EiB") }
    return size
  }

  /// A number of items, each of which takes a byte of the header at least.
  mutating func count() throws(ArchiveError) -> Int {
    let count = try number()
    guard count <= UInt64(left) else { throw .sevenZipHeader("counts more items than it has room for") }
    return Int(count)
  }

  /// The range of the next `count` bytes.
  mutating func take(_ count: Int) throws(ArchiveError) -> Range<Int> {
    guard count >= 0, count <= left else { throw .sevenZipHeader("ends too early") }
    defer { position += count }
    return position..<position + count
  }

  /// A reader of the next `count` bytes.
  mutating func part(_ count: Int) throws(ArchiveError) -> Self { Self(bytes, try take(count)) }

  mutating func little<Value: FixedWidthInteger & UnsignedInteger>(
    _ type: Value.Type
  ) throws(ArchiveError) -> Value {
    bytes.little(type, at: try take(MemoryLayout<Value>.size).lowerBound)
  }

  /// One bit for each item, the highest of a byte first.
  mutating func bits(_ count: Int) throws(ArchiveError) -> [Bool] {
    let range = try take((count + 7) / 8)
    return (0..<count).map { bytes[range.lowerBound + $0 / 8] & 0x80 >> UInt8($0 % 8) != 0 }
  }

  /// The same after a byte that says that all are set, in which case there are none.
  mutating func optionalBits(_ count: Int) throws(ArchiveError) -> [Bool] {
    // The items themselves follow, none smaller than a bit of the header.
    guard try byte() == 0 else { return [Bool](repeating: true, count: count) }
    return try bits(count)
  }

  /// Checksums of the streams that have one.
  mutating func checksums(_ count: Int) throws(ArchiveError) -> [UInt32?] {
    var checksums: [UInt32?] = []
    for isDefined in try optionalBits(count) { checksums.append(isDefined ? try little(UInt32.self) : nil) }
    return checksums
  }

  /// Throws unless the next byte is this.
  mutating func expect(_ property: SevenZipProperty) throws(ArchiveError) {
    guard try self.property() == property else {
      throw .sevenZipHeader("lacks a part (\(property)) where it must be")
    }
  }

  /// The type of the next part; nil if it is unknown.
  mutating func property() throws(ArchiveError) -> SevenZipProperty? {
    SevenZipProperty(rawValue: UInt8(clamping: try number()))
  }
}

/// The types of a header's parts (7zFormat.txt, "Property IDs").
enum SevenZipProperty: UInt8 {
  case end, header, archiveProperties, additionalStreams, mainStreams, files, packInfo, unpackInfo, subStreams
  case size, checksum, folder, coderSizes, streamCounts
  case emptyStream, emptyFile, anti, name, created, accessed, modified, attributes, comment
  case encodedHeader, startPosition, dummy
}

extension ArchiveError {
  /// - Parameter reason: The end of a sentence about the header.
  static func sevenZipHeader(_ reason: String) -> Self { .corrupt("the 7z header \(reason)") }
}
#endif
