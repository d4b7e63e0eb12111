internal import Libc

/// One block of 512 bytes that describes a member: v7, POSIX ustar, GNU and star (tar(5)).
struct TarHeader {
  enum Dialect { case v7, posix, gnu }

  static let size = 512

  let dialect: Dialect
  let type: UInt8
  /// The number of bytes after the block, without padding; nil if the field is no number that can be.
  let stored: Int64?
  let name: [UInt8]
  let link: [UInt8]
  let mode: UInt16
  let userID: Int64
  let groupID: Int64
  let user: [UInt8]
  let group: [UInt8]
  let modified: Int64
  let accessed: Int64?
  let changed: Int64?

  /// - Parameter block: A whole block with a valid checksum.
  init(_ block: [UInt8]) {
    if block[257..<263].elementsEqual("ustar ".utf8) {
      dialect = .gnu
    } else {
      dialect = block[257..<262].elementsEqual("ustar".utf8) ? .posix : .v7
    }
    type = block[156]
    stored = Self.number(block[124..<136]).flatMap { $0 < 0 ? nil : $0 }
    mode = UInt16(truncatingIfNeeded: Self.number(block[100..<108]) ?? 0) & 0o7777
    userID = Self.number(block[108..<116]) ?? 0
    groupID = Self.number(block[116..<124]) ?? 0
    modified = Self.number(block[136..<148]) ?? 0
    link = Self.text(block[157..<257])
    user = dialect == .v7 ? [] : Self.text(block[265..<297])
    group = dialect == .v7 ? [] : Self.text(block[297..<329])
    // star keeps times where the end of the prefix is.
    let isStar = dialect == .posix && block[508..<512].elementsEqual("tar\0".utf8)
    let times: Int? = if isStar { 476 } else { dialect == .gnu ? 345 : nil }
    accessed = times.flatMap { block[$0] == 0 ? nil : Self.number(block[$0..<$0 + 12]) }
    changed = times.flatMap { block[$0 + 12] == 0 ? nil : Self.number(block[$0 + 12..<$0 + 24]) }
    let last = Self.text(block[0..<100])
    let prefix = dialect == .posix ? Self.text(block[345..<(isStar ? 476 : 500)]) : []
    name = prefix.isEmpty ? last : prefix + (prefix.last == UInt8(ascii: "/") ? [] : [0x2F]) + last
  }

  /// Whether the sum of the block's bytes is in it, the eight bytes of the sum counting as spaces (POSIX.1, pax, "ustar
  /// Interchange Format"). Some writers took bytes for signed numbers.
  static func hasChecksum(_ block: some Collection<UInt8>) -> Bool {
    let field = block.dropFirst(148).prefix(8)
    let digits = field.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
    guard !digits.isEmpty else { return false }
    let stored = digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
    var (sum, high) = (0, 0)
    for byte in block.prefix(size) {
      sum += Int(byte)
      high += Int(byte >> 7)
    }
    for byte in field {
      sum += 0x20 - Int(byte)
      high -= Int(byte >> 7)
    }
    return stored == sum || stored == sum - 256 * high
  }

  /// A number: octal digits, or in base 256 if the highest bit is set (GNU). A blank field is 0; nil if it is no number.
  static func number(_ field: ArraySlice<UInt8>) -> Int64? {
    guard let first = field.first else { return nil }
    if first & 0x80 != 0 {
      var value = Int64(first & 0x3F) - (first & 0x40 == 0 ? 0 : 0x40)
      for byte in field.dropFirst() {
        let (shifted, overflow) = value.multipliedReportingOverflow(by: 256)
        guard !overflow else { return nil }
        value = shifted | Int64(byte)
      }
      return value
    }
    var rest = field.drop { $0 == 0x20 }
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest = rest.dropFirst() }
    let digits = rest.prefix { (0x30...0x37).contains($0) }
    guard [nil, 0, 0x20].contains(rest.dropFirst(digits.count).first) else { return nil }
    // Twelve digits at most.
    let value = digits.reduce(Int64(0)) { $0 << 3 | Int64($1 - 0x30) }
    return isNegative ? -value : value
  }

  private static func text(_ field: ArraySlice<UInt8>) -> [UInt8] { Array(field.prefix { $0 != 0 }) }
}
