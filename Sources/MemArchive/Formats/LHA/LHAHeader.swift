internal import Libc

/// One member's header, of level 0 to 3 (LHa for UNIX, "header.doc"; lhasa, "lha_file_header.c").
struct LHAHeader {
  /// Such as "-lh5-".
  let method: String
  private(set) var packedSize: UInt64
  private(set) var size: UInt64
  /// The CRC-16 of the content.
  private(set) var checksum: UInt16 = 0
  /// The letter of the system that the archive is from.
  private(set) var system: UInt8 = 0

  private var (directory, fileName): ([UInt8], [UInt8]) = ([], [])
  /// The character set of the names; 0 if it is not stated.
  private var codePage: UInt32 = 0
  private var modified: ArchiveEntry.Time?
  private var isReadOnly: Bool
  /// With the type of the file.
  private var mode: UInt16?
  private var details = ArchiveEntry.Details()
  private var comment: [UInt8]?

  /// What tells the size of a header of any level.
  static let commonSize = 22
  private static let slash = UInt8(ascii: "/")

  /// Reads a whole header; throws what is wrong with it.
  init(_ bytes: [UInt8]) throws(ArchiveError) {
    method = String(decoding: bytes[2..<7], as: UTF8.self)
    packedSize = UInt64(bytes.little(UInt32.self, at: 7))
    size = UInt64(bytes.little(UInt32.self, at: 11))
    let time = bytes.little(UInt32.self, at: 15)
    isReadOnly = bytes[19] & 1 != 0
    if bytes[20] < 2 {
      modified = ArchiveEntry.Time(dos: time)
      try readShort(bytes)
    } else {
      modified = ArchiveEntry.Time(seconds: Int64(time))
      checksum = bytes.little(UInt16.self, at: 21)
      system = bytes[23]
      try readExtensions(bytes, from: bytes[20] == 2 ? 24 : 28)
    }
  }

  private static func contradiction(_ text: String) -> ArchiveError {
    .corrupt("a member's header contradicts itself: \(text)")
  }

  /// Levels 0 and 1.
  private mutating func readShort(_ bytes: [UInt8]) throws(ArchiveError) {
    let (baseEnd, nameEnd) = (Int(bytes[0]) + 2, Self.commonSize + Int(bytes[21]))
    let extra = nameEnd + 2
    guard baseEnd >= (bytes[20] == 0 ? extra : extra + 3) else {
      throw Self.contradiction("its name is longer than itself")
    }
    guard bytes[2..<baseEnd].reduce(0, &+) == bytes[1] else { throw Self.contradiction("its sum is wrong") }
    // Amiga puts a comment after the name.
    let field = bytes[Self.commonSize..<nameEnd].split(
      separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    // Macintosh separates by 0xFF.
    fileName = EntryName.withSlashes(field[0].map { $0 == 0xFF ? Self.slash : $0 })
    if field.count == 2, !field[1].isEmpty { comment = Array(field[1]) }
    checksum = bytes.little(UInt16.self, at: nameEnd)
    if bytes[20] == 1 {
      system = bytes[extra]
      guard packedSize >= bytes.count - baseEnd else {
        throw Self.contradiction("its extensions are longer than the member")
      }
      packedSize -= UInt64(bytes.count - baseEnd)
      try readExtensions(bytes, from: baseEnd - 2)
    } else if baseEnd >= extra + 12, bytes[extra] == UInt8(ascii: "U"), bytes[extra + 1] == 0 {
      modified = ArchiveEntry.Time(seconds: Int64(bytes.little(UInt32.self, at: extra + 2)))
      mode = bytes.little(UInt16.self, at: extra + 6)
      details.userID = Int64(bytes.little(UInt16.self, at: extra + 8))
      details.groupID = Int64(bytes.little(UInt16.self, at: extra + 10))
    }
  }

  // MARK: Extensions

  /// Each begins with its size: two bytes, in level 3 four.
  private mutating func readExtensions(_ bytes: [UInt8], from start: Int) throws(ArchiveError) {
    let sizeBytes = bytes[20] == 3 ? 4 : 2
    var (offset, summed) = (start, bytes)
    var wanted: UInt16?
    while offset + sizeBytes <= bytes.count {
      let size =
        sizeBytes == 4
        ? Int(bytes.little(UInt32.self, at: offset)) : Int(bytes.little(UInt16.self, at: offset))
      if size == 0 { break }
      guard size > sizeBytes, size <= bytes.count - offset else {
        throw Self.contradiction("its extensions are longer than itself")
      }
      let start = offset + sizeBytes + 1
      let value = Array(bytes[start..<offset + size])
      // The sum is made with zeros in its own place.
      if bytes[start - 1] == 0, value.count >= 2 {
        wanted = value.little(UInt16.self, at: 0)
        (summed[start], summed[start + 1]) = (0, 0)
      }
      read(bytes[start - 1], value)
      offset += size
    }
    guard let wanted else { return }
    var sum = CRC16()
    unsafe sum.update(summed.span.bytes)
    guard sum.value == wanted else { throw Self.contradiction("its CRC-16 is wrong") }
  }

  private mutating func read(_ kind: UInt8, _ value: [UInt8]) {
    switch kind {
    case 0x01: fileName = value
    case 0x02: directory = value.map { $0 == 0xFF ? Self.slash : $0 }
    case 0x3F: comment = value
    case 0x40 where value.count >= 2: isReadOnly = value[0] & 1 != 0
    case 0x41 where value.count >= 24:
      details.created = ArchiveEntry.Time(ntfs: value.little(UInt64.self, at: 0))
      modified = ArchiveEntry.Time(ntfs: value.little(UInt64.self, at: 8)) ?? modified
      details.accessed = ArchiveEntry.Time(ntfs: value.little(UInt64.self, at: 16))
    case 0x42 where value.count >= 16:
      (packedSize, size) = (value.little(UInt64.self, at: 0), value.little(UInt64.self, at: 8))
    case 0x44: fileName = Self.utf8(value)
    case 0x45: directory = Self.utf8(value)
    case 0x46 where value.count >= 4: codePage = value.little(UInt32.self, at: 0)
    case 0x50 where value.count >= 2: mode = value.little(UInt16.self, at: 0)
    case 0x51 where value.count >= 4:
      details.groupID = Int64(value.little(UInt16.self, at: 0))
      details.userID = Int64(value.little(UInt16.self, at: 2))
    case 0x52: details.group = EntryName.key(value)
    case 0x53: details.user = EntryName.key(value)
    case 0x54 where value.count >= 4:
      modified = ArchiveEntry.Time(seconds: Int64(value.little(UInt32.self, at: 0)))
    default: break
    }
  }

  /// A name in UTF-16, where U+FFFF separates.
  private static func utf8(_ value: [UInt8]) -> [UInt8] {
    let units = stride(from: 0, to: value.count - 1, by: 2).map { value.little(UInt16.self, at: $0) }
    return Array(String(decoding: units.map { $0 == 0xFFFF ? UInt16(slash) : $0 }, as: UTF16.self).utf8)
  }

  // MARK: Names

  /// In UTF-8 if the header says what the names are in.
  private var name: [UInt8] {
    let decoder = codePage == 0 ? nil : try? NameDecoder(encoding: "CP\(codePage)")
    // LHA 1.22 of Amiga leaves the last separator out.
    let directory = directory.isEmpty || directory.last == Self.slash ? directory : directory + [Self.slash]
    return [directory, fileName].flatMap { part in
      decoder.map { EntryName.raw($0.decode(part).name) } ?? part
    }
  }

  /// The entry that it describes.
  func entry() throws(ArchiveError) -> Header {
    var entry = Header(name: name, kind: .file, size: Int64(clamping: size))
    // Some programs of Amiga store a directory like a file without a name.
    if method == "-lhd-" || (fileName.isEmpty && size == 0) {
      entry.kind = .directory
      if let mode, mode_t(mode) & S_IFMT == S_IFLNK { try makeLink(&entry) }
      entry.size = 0
    }
    entry.packing.compressedSize = Int64(clamping: packedSize)
    entry.packing.compression = .init(lha: method)
    entry.modified = modified
    entry.mode = mode.map { $0 & 0o7777 } ?? (isReadOnly && entry.kind == .file ? 0o444 : nil)
    entry.details = details == ArchiveEntry.Details() ? nil : details
    entry.comment = comment
    return entry
  }

  /// The name of a symbolic link ends with its target.
  private func makeLink(_ entry: inout Header) throws(ArchiveError) {
    let name = entry.name ?? []
    guard let bar = name.firstIndex(of: UInt8(ascii: "|")) else {
      throw .corrupt("the symbolic link has no target", entry: EntryName.key(name))
    }
    (entry.kind, entry.name, entry.link) = (.symlink, Array(name[..<bar]), Array(name[(bar + 1)...]))
  }
}
