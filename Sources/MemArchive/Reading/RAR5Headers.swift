/// The headers of a RAR 5 archive as far as they tell which files are encrypted (RAR 5.0 archive format, "General archive
/// structure" and "File encryption record"): libarchive 3.6.2 passes over that record and hands out the ciphertext.
struct RAR5Headers {
  /// The files whose content is encrypted, counted from 0 in the archive's order.
  private(set) var encryptedFiles: Set<Int> = []

  private static let signatureSize: Int64 = 8
  /// The largest header that the format allows.
  private static let largestHeader = 2 << 20

  /// Reads header after header, to the end or to the first that is none.
  init(_ content: any SeekableSource) throws(ArchiveError) {
    var offset = Self.signatureSize
    var files = 0
    while offset < content.size {
      // A checksum of 4 bytes and a size of at most 3.
      let start = try content.bytes(7, at: offset)
      var position = 4
      guard let size = Self.number(start, &position), size > 0, size <= Self.largestHeader else { return }
      let headerStart = offset + Int64(position)
      let header = try content.bytes(Int(size), at: headerStart)
      guard header.count == Int(size) else { return }
      position = 0
      guard let type = Self.number(header, &position), let flags = Self.number(header, &position),
        let extraSize = flags & 1 == 0 ? 0 : Self.number(header, &position),
        let dataSize = flags & 2 == 0 ? 0 : Self.number(header, &position),
        extraSize <= size, dataSize <= UInt64(content.size)
      else { return }
      // 2: a file; 8 in the flags: its continuation in a further volume.
      if type == 2, flags & 8 == 0 {
        if Self.hasEncryption(header, from: Int(size - extraSize)) { encryptedFiles.insert(files) }
        files += 1
      }
      offset = headerStart + Int64(size) + Int64(dataSize)
    }
  }

  /// Whether a record of type 1 is among those that begin at `start`.
  private static func hasEncryption(_ header: [UInt8], from start: Int) -> Bool {
    var position = start
    while position < header.count, let size = number(header, &position) {
      var type = position
      if number(header, &type) == 1 { return true }
      guard size <= UInt64(header.count - position) else { return false }
      position += Int(size)
    }
    return false
  }

  /// A number of seven bits a byte, the lowest first; nil where it does not end.
  private static func number(_ bytes: [UInt8], _ position: inout Int) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 63, by: 7) {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}
