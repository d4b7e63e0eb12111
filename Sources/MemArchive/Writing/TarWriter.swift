/// Writes a tar in the pax format (POSIX.1, pax, "pax Interchange Format"): ustar's headers, and before an entry that they cannot
/// hold an extended header, with star's records for attributes (star(5)).
///
/// It is written here rather than by libarchive, which converts names by the thread's locale.
struct TarWriter: FormatWriter {
  private let output: ArchiveOutput
  private let options: ArchiveWriter.Options
  private let cancellation: Cancellation

  init(_ output: ArchiveOutput, _ options: ArchiveWriter.Options, _ cancellation: Cancellation) {
    (self.output, self.options, self.cancellation) = (output, options, cancellation)
  }

  func add(_ item: ArchiveItem, linkedTo link: ArchiveItem?) throws(ArchiveError) {
    // Both names are of one file.
    let entry = (link ?? item).entry
    var header = UstarHeader(mode: (link ?? item).mode)
    header.type = try link != nil ? UInt8(ascii: "1") : Self.type(of: item)
    header.setName(item.path.raw + (entry.kind == .directory ? [UInt8(ascii: "/")] : []))
    switch (link, entry.kind) {
    case (let link?, _): header.setLink(link.path.raw)
    case (nil, .symlink): header.setLink(item.target)
    default: header.setSize(item.size)
    }
    header.setTime(options.modified(entry))
    if options.owners == .kept { header.setOwner(entry) }
    if link == nil { try header.addAttributes(of: item) }
    try write(header)
    guard link == nil, item.size > 0 else { return }
    try item.forEachBlock(cancellation) { bytes throws(ArchiveError) in try output.write(bytes) }
    try pad(item.size)
  }

  /// Two blocks of zeros.
  func finish() throws(ArchiveError) { try output.write([UInt8](repeating: 0, count: 2 * TarHeader.size)) }

  private static func type(of item: ArchiveItem) throws(ArchiveError) -> UInt8 {
    switch item.entry.kind {
    case .file, .hardlink: UInt8(ascii: "0")
    case .symlink: UInt8(ascii: "2")
    case .directory: UInt8(ascii: "5")
    case .fifo: UInt8(ascii: "6")
    case .character, .block: throw .unarchivable(item.name, "the numbers of a device are not known")
    case .socket: throw .unarchivable(item.name, "a tar has no sockets")
    }
  }

  private func write(_ header: UstarHeader) throws(ArchiveError) {
    if !header.records.isEmpty {
      var extended = UstarHeader(mode: 0o644)
      extended.type = UInt8(ascii: "x")
      extended.setShortName(Array("PaxHeaders/".utf8) + header.lastComponent.map { $0 < 0x80 ? $0 : 0x5F })
      extended.setSize(Int64(header.records.count))
      try output.write(extended.block)
      try output.write(header.records)
      try pad(Int64(header.records.count))
    }
    try output.write(header.block)
  }

  private func pad(_ size: Int64) throws(ArchiveError) {
    let rest = Int(size % Int64(TarHeader.size))
    if rest > 0 { try output.write([UInt8](repeating: 0, count: TarHeader.size - rest)) }
  }
}

/// A block of ustar, and the records for what does not fit into it.
private struct UstarHeader {
  private(set) var records: [UInt8] = []
  private(set) var lastComponent: [UInt8] = []
  private var fields = [UInt8](repeating: 0, count: TarHeader.size)

  init(mode: UInt16) {
    put(Self.octal(UInt64(mode), 7), at: 100)
    put(Self.octal(0, 7), at: 108)
    put(Self.octal(0, 7), at: 116)
    put(Self.octal(0, 11), at: 124)
    put(Self.octal(0, 11), at: 136)
    put(Array("ustar\u{0}00".utf8), at: 257)
    put(Self.octal(0, 7), at: 329)
    put(Self.octal(0, 7), at: 337)
  }

  var type: UInt8 {
    get { fields[156] }
    set { fields[156] = newValue }
  }

  /// The fields with their checksum.
  var block: [UInt8] {
    var block = fields
    for index in 148..<156 { block[index] = 0x20 }
    let sum = block.reduce(UInt64(0)) { $0 + UInt64($1) }
    for (index, digit) in (Self.octal(sum, 6) + [0]).enumerated() { block[148 + index] = digit }
    return block
  }

  mutating func setName(_ name: [UInt8]) {
    let slash = UInt8(ascii: "/")
    lastComponent = name.split(separator: slash).last.map { Array($0) } ?? [UInt8(ascii: ".")]
    if name.count <= 100, Self.isPlain(name) { return put(name, at: 0) }
    // In two fields, divided at a slash.
    if name.count <= 256, Self.isPlain(name),
      let index = name.indices.first(where: {
        name[$0] == slash && $0 > 0 && $0 <= 155 && (1...100).contains(name.count - $0 - 1)
      })
    {
      put(Array(name[..<index]), at: 345)
      return put(Array(name[(index + 1)...]), at: 0)
    }
    addName("path", name)
    setShortName(name)
  }

  /// What readers see that know no extended headers.
  mutating func setShortName(_ name: [UInt8]) { put(Array(name.prefix(100)), at: 0) }

  mutating func setLink(_ target: [UInt8]) {
    if target.count > 100 || !Self.isPlain(target) { addName("linkpath", target) }
    put(Array(target.prefix(100)), at: 157)
  }

  mutating func setSize(_ size: Int64) {
    if size < 1 << 33 {
      put(Self.octal(UInt64(size), 11), at: 124)
    } else {
      add("size", Array("\(size)".utf8))
    }
  }

  mutating func setTime(_ time: ArchiveEntry.Time) {
    let isWhole = time.nanoseconds == 0
    if (0..<1 << 33).contains(time.seconds) { put(Self.octal(UInt64(time.seconds), 11), at: 136) }
    if isWhole, (0..<1 << 33).contains(time.seconds) { return }
    add("mtime", Array(Self.decimal(time).utf8))
  }

  mutating func setOwner(_ entry: ArchiveEntry) {
    for (key, number, offset) in [("uid", entry.userID, 108), ("gid", entry.groupID, 116)] {
      guard let number else { continue }
      if (0..<1 << 21).contains(number) {
        put(Self.octal(UInt64(number), 7), at: offset)
      } else {
        add(key, Array("\(number)".utf8))
      }
    }
    for (key, name, offset) in [("uname", entry.user, 265), ("gname", entry.group, 297)] {
      guard let name = name.map({ EntryName.raw($0) }) else { continue }
      if name.count < 32, Self.isPlain(name) { put(name, at: offset) } else { addName(key, name) }
    }
  }

  mutating func addAttributes(of item: ArchiveItem) throws(ArchiveError) {
    for (key, text) in AccessControlText.split(item.entry.accessControlList ?? "") {
      add("SCHILY.acl.\(key)", EntryName.raw(text))
    }
    for attribute in item.entry.extendedAttributes.sorted(by: { NameKey($0.name).precedes(NameKey($1.name)) })
    {
      guard !attribute.name.utf8.contains(UInt8(ascii: "=")) else {
        throw .unarchivable(item.name, "the name of its attribute \(attribute.name) contains \"=\"")
      }
      add("SCHILY.xattr.\(attribute.name)", attribute.value)
    }
  }

  /// A name that is not UTF-8 is said to be none by a record that has to come first.
  private mutating func addName(_ key: String, _ name: [UInt8]) {
    if String(validating: name, as: UTF8.self) == nil, !isBinary {
      isBinary = true
      records = Self.record("hdrcharset", Array("BINARY".utf8)) + records
    }
    add(key, name)
  }

  private var isBinary = false

  private mutating func add(_ key: String, _ value: [UInt8]) { records += Self.record(key, value) }

  /// "LENGTH KEY=VALUE\n", where the length includes its own digits.
  private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = Array(" \(key)=".utf8) + value + [0x0A]
    var length = rest.count + 1
    while length != rest.count + "\(length)".utf8.count { length = rest.count + "\(length)".utf8.count }
    return Array("\(length)".utf8) + rest
  }

  /// ASCII: POSIX.1 does not say what else is in these fields.
  private static func isPlain(_ text: [UInt8]) -> Bool { text.allSatisfy { $0 < 0x80 } }

  private static func octal(_ value: UInt64, _ digits: Int) -> [UInt8] {
    let text = Array(String(value, radix: 8).utf8)
    return [UInt8](repeating: 0x30, count: max(0, digits - text.count)) + text
  }

  /// Seconds with nine decimals or none; before 1970 it is negative as a whole.
  private static func decimal(_ time: ArchiveEntry.Time) -> String {
    guard time.nanoseconds > 0 else { return "\(time.seconds)" }
    let isNegative = time.seconds < 0
    let nanoseconds = isNegative ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
    let seconds = isNegative ? -(time.seconds + 1) : time.seconds
    let digits = "\(nanoseconds)"
    return "\(isNegative ? "-" : "")\(seconds)." + String(repeating: "0", count: 9 - digits.count) + digits
  }

  private mutating func put(_ bytes: [UInt8], at offset: Int) {
    for (index, byte) in bytes.enumerated() { fields[offset + index] = byte }
  }
}
