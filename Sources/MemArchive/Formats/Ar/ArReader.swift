/// The members of an ar archive: Debian packages, and static libraries by GNU, BSD and Microsoft tools (ar(5), PE Format,
/// "Archive (Library) File Format").
///
/// libarchive (up to 3.8.9) takes no names that end with NUL, and stops in silence at a header that is cut.
final class ArReader: EntryParser {
  private let input: FormatInput
  private let warnings: WarningLog
  /// GNU's and Microsoft's table of long names.
  private var table: [UInt8] = []
  private var charge: Charge
  private var isEmpty = true
  private var (contentEnd, size): (Int64, Int64) = (0, 0)

  private static let magic = Array("!<arch>\n".utf8)
  private static let headerSize = 60
  private static let (mostTable, mostName): (Int64, Int64) = (64 << 20, 64 << 10)
  private static let (slash, lf) = (UInt8(ascii: "/"), UInt8(ascii: "\n"))

  init(_ input: FormatInput, in context: ExtractionContext, warnings: WarningLog) {
    self.input = input
    self.warnings = warnings
    charge = Charge(context.ledger, entry: "ar")
  }

  var isExhausted: Bool { input.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    if input.position == 0 {
      guard try input.bytes(Self.magic.count) == Self.magic else {
        throw .corrupt("the archive does not begin as one of ar")
      }
      contentEnd = input.position
    }
    while true {
      try advance()
      let block = try input.bytes(Self.headerSize)
      if block.isEmpty {
        if isEmpty { warnings.add("the archive has no members") }
        return nil
      }
      isEmpty = false
      if let header = try header(block) { return header }
    }
  }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    try input.forEachBlock(to: contentEnd, inside: "the member", body)
    return size
  }

  /// Proceeds to the next header, at an even position; the last member may lack the byte in between.
  private func advance() throws(ArchiveError) {
    try input.skip(to: contentEnd, inside: "a member")
    _ = try input.skip(to: contentEnd + contentEnd % 2)
  }

  /// The member that a header describes; nil for a table, which ar(1) never shows.
  private func header(_ block: [UInt8]) throws(ArchiveError) -> Header? {
    guard block.count == Self.headerSize else { throw input.truncated(inside: "a header") }
    guard block[58] == UInt8(ascii: "`"), block[59] == Self.lf, let size = Self.number(block[48..<58], 10)
    else {
      input.isExhausted = true
      throw .corrupt("a member's header does not end as one")
    }
    // Ten digits at most.
    (self.size, contentEnd) = (size, input.position + size)
    guard let name = try name(block[..<16]) else { return nil }
    guard !name.isEmpty else { throw .corrupt("a member has no name") }
    var header = Header(name: name, kind: .file, size: self.size)
    header.modified = ArchiveEntry.Time(seconds: Self.number(block[16..<28], 10) ?? 0)
    header.mode = UInt16(truncatingIfNeeded: Self.number(block[40..<48], 8) ?? 0) & 0o7777
    let (user, group) = (Self.number(block[28..<34], 10) ?? 0, Self.number(block[34..<40], 10) ?? 0)
    if user != 0 || group != 0 {
      var details = ArchiveEntry.Details()
      (details.userID, details.groupID) = (user, group)
      header.details = details
    }
    return header
  }

  /// A number that spaces follow; nil if it is none.
  private static func number(_ field: ArraySlice<UInt8>, _ radix: Int) -> Int64? {
    let digits = field.prefix { $0 != 0x20 }
    guard field.dropFirst(digits.count).allSatisfy({ $0 == 0x20 }), digits.first != UInt8(ascii: "+"),
      let number = Int64(String(decoding: digits, as: UTF8.self), radix: radix), number >= 0
    else { return nil }
    return number
  }

  // MARK: Names

  /// The name; nil for a table.
  private func name(_ field: ArraySlice<UInt8>) throws(ArchiveError) -> [UInt8]? {
    var name = Array(field.prefix((field.lastIndex { $0 != 0x20 } ?? -1) + 1))
    if name.starts(with: "#1/".utf8) { return try nameInContent(name.dropFirst(3)) }
    guard name.first == Self.slash else {
      if name.last == Self.slash { name.removeLast() }
      return Self.isTable(name) ? nil : name
    }
    let rest = name.dropFirst()
    if rest.elementsEqual([Self.slash]) {
      try readTable()
      return nil
    }
    // "/" and "/SYM64/" (GNU), "/<ECSYMBOLS>/" and its like (Microsoft).
    guard let first = rest.first, (0x30...0x39).contains(first) else { return nil }
    guard let offset = Self.number(rest, 10), offset < table.count else {
      throw .corrupt("a member's name lies outside of the table of names")
    }
    // Ends with a slash and a line feed, Microsoft's with NUL.
    let long = table[Int(offset)...].prefix { $0 != 0 && $0 != Self.lf }
    return Array(long.last == Self.slash ? long.dropLast() : long)
  }

  /// BSD: the name is in front of the content, filled up with NUL.
  private func nameInContent(_ digits: ArraySlice<UInt8>) throws(ArchiveError) -> [UInt8]? {
    guard let length = Self.number(digits, 10), length <= size, length <= Self.mostName else {
      throw .corrupt("the length of a member's name cannot be")
    }
    let field = try input.bytes(Int(length), inside: "a name")
    size -= length
    let name = Array(field.prefix((field.lastIndex { $0 != 0 } ?? -1) + 1))
    return Self.isTable(name) ? nil : name
  }

  private static func isTable(_ name: [UInt8]) -> Bool {
    ["__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64", "__.SYMDEF_64 SORTED"].contains {
      name.elementsEqual($0.utf8)
    }
  }

  private func readTable() throws(ArchiveError) {
    guard size <= 1 << 30 else {
      input.isExhausted = true
      throw .corrupt("the table of names claims \(size) bytes")
    }
    guard size <= Self.mostTable else {
      throw ArchiveError(
        .unsupportedFeature, "its table of names takes \(size) bytes; at most \(Self.mostTable) are read",
        advice: "Unpack it by ar(1).")
    }
    try charge.hold(size, entry: nil)
    table = try input.bytes(Int(size), inside: "the table of names")
  }
}
