/// Facts about files in the headers of a RAR archive that libarchive ignores: whether content is encrypted (RAR 5, before
/// 3.8.0), and the checksum of stored content (all versions up to 3.8.9).
///
/// Sources: RAR 5.0 archive format, "General archive structure", "File header", "File encryption record", "File hash
/// record"; technote.txt of RAR 4 for the older one.
struct RARHeaders {
  struct File {
    var isEncrypted = false
    /// The CRC-32 of the content.
    var checksum: UInt32?
    /// Whether stored content has a BLAKE2sp hash instead, which is not verified.
    var hasUnverifiedHash = false
  }

  /// The files in the archive's order, as far as headers could be read.
  private(set) var files: [File] = []

  private let content: any SeekableSource
  private let cancellation: Cancellation
  /// The largest header that RAR 5 allows.
  private static let largestHeader = 2 << 20

  /// Reads headers up to the end or to the first invalid one.
  init(_ content: any SeekableSource, _ cancellation: Cancellation = Cancellation()) throws(ArchiveError) {
    self.content = content
    self.cancellation = cancellation
    guard var offset = try Self.beginning(of: content) else { return }
    while offset < content.size {
      let start = try content.bytes(8, at: offset)
      // Each volume begins with a signature.
      if start.starts(with: [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x01, 0x00]) {
        offset = try readVolume5(from: offset + 8)
      } else if start.starts(with: [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x00]) {
        offset = try readVolume4(from: offset + 7)
      } else {
        return
      }
    }
  }

  /// Where the archive begins: at the start of the file, or after a program that unpacks it.
  private static func beginning(of content: any SeekableSource) throws(ArchiveError) -> Int64? {
    let mark: [UInt8] = [0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]
    if try content.bytes(mark.count, at: 0) == mark { return 0 }
    let front = try content.bytes(1 << 20, at: 0)
    let offset = front.indices.first { front[$0] == mark[0] && front[$0...].starts(with: mark) }
    return offset.map { Int64($0) }
  }

  /// Adds a file, or a part of one that is split over several volumes: the parts count as one file, described by the last.
  private mutating func add(_ file: File, isContinued: Bool, continuesLater: Bool) {
    var file = file
    if continuesLater { file.checksum = nil }
    if isContinued, let first = files.popLast() { file.isEncrypted = file.isEncrypted || first.isEncrypted }
    files.append(file)
  }

  /// Where data of a declared size that begins at `start` ends; `start` is not beyond the archive's end. If the data is longer
  /// than the rest of the archive, returns an offset beyond any archive rather than overflow.
  private func end(of size: UInt64, from start: Int64) -> Int64 {
    size <= UInt64(content.size - start) ? start + Int64(size) : .max
  }

  // MARK: RAR 5

  /// Returns where the volume ends; an offset beyond the archive's end if that is unknown.
  private mutating func readVolume5(from start: Int64) throws(ArchiveError) -> Int64 {
    var offset = start
    while offset < content.size {
      try cancellation.check()
      // A checksum of 4 bytes and a size of at most 3.
      let start = try content.bytes(7, at: offset)
      var position = 4
      guard let size = Self.number(start, &position), size > 0, size <= Self.largestHeader else {
        return .max
      }
      let headerStart = offset + Int64(position)
      let header = try content.bytes(Int(size), at: headerStart)
      guard header.count == Int(size) else { return .max }
      position = 0
      guard let type = Self.number(header, &position), let flags = Self.number(header, &position),
        let extraSize = flags & 1 == 0 ? 0 : Self.number(header, &position),
        let dataSize = flags & 2 == 0 ? 0 : Self.number(header, &position), extraSize <= size
      else { return .max }
      offset = end(of: dataSize, from: headerStart + Int64(size))
      switch type {
      case 2:
        let file = Self.file(header, position, extra: Int(size - extraSize))
        add(file, isContinued: flags & 8 != 0, continuesLater: flags & 16 != 0)
      // All headers after it are encrypted.
      case 4: return .max
      case 5: return offset
      default: break
      }
    }
    return offset
  }

  /// A file header's own fields begin at `start`, and its records at `extra`.
  private static func file(_ header: [UInt8], _ start: Int, extra: Int) -> File {
    let records = recordTypes(header, from: extra)
    var file = File(isEncrypted: records.contains(1))
    var position = start
    // Flags, size, attributes.
    guard let flags = number(header, &position), number(header, &position) != nil,
      number(header, &position) != nil
    else { return file }
    if flags & 2 != 0 { position += 4 }
    if flags & 4 != 0 {
      guard position + 4 <= extra else { return file }
      file.checksum = header.little(UInt32.self, at: position)
      position += 4
    }
    guard let compression = number(header, &position) else { return file }
    file.hasUnverifiedHash = records.contains(2) && file.checksum == nil && compression >> 7 & 7 == 0
    return file
  }

  /// The types of the records that begin at `start`.
  private static func recordTypes(_ header: [UInt8], from start: Int) -> Set<UInt64> {
    var types: Set<UInt64> = []
    var position = start
    while position < header.count, let size = number(header, &position) {
      var type = position
      if let type = number(header, &type) { types.insert(type) }
      guard size <= UInt64(header.count - position) else { break }
      position += Int(size)
    }
    return types
  }

  /// A number with seven bits per byte, lowest first; nil if it does not end.
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

  // MARK: RAR 4

  private mutating func readVolume4(from start: Int64) throws(ArchiveError) -> Int64 {
    var offset = start
    while offset < content.size {
      try cancellation.check()
      // The fixed part of a file header, and the upper halves of sizes.
      let header = try content.bytes(40, at: offset)
      guard header.count >= 7 else { return .max }
      let (type, flags) = (header[2], header.little(UInt16.self, at: 3))
      let size = Int64(header.little(UInt16.self, at: 5))
      guard size >= 7 else { return .max }
      var dataSize: UInt64 = 0
      if type == 0x74 || flags & 0x8000 != 0 {
        guard header.count >= 11 else { return .max }
        dataSize = UInt64(header.little(UInt32.self, at: 7))
      }
      switch type {
      case 0x73:
        // All headers after it are encrypted.
        if flags & 0x80 != 0 { return .max }
      case 0x74:
        guard header.count >= 32 else { return .max }
        if flags & 0x100 != 0 {
          guard header.count == 40 else { return .max }
          dataSize |= UInt64(header.little(UInt32.self, at: 32)) << 32
        }
        // libarchive itself reports encrypted content.
        let file = File(checksum: flags & 4 == 0 ? header.little(UInt32.self, at: 16) : nil)
        add(file, isContinued: flags & 1 != 0, continuesLater: flags & 2 != 0)
      default: break
      }
      guard size <= content.size - offset else { return .max }
      offset = end(of: dataSize, from: offset + size)
      if type == 0x7B { return offset }
    }
    return offset
  }
}

/// For a fuzzer: the number of files in these bytes' RAR headers; nil if no header can be read.
package func rarFileCount(_ bytes: [UInt8]) -> Int? {
  (try? RARHeaders(MemorySource(bytes))).map { $0.files.count }
}
