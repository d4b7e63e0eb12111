internal import Libc

/// The reversible encoding between an archive's raw names and the strings that users see.
///
/// Valid UTF-8 is kept as is; every other byte b becomes U+F700+b, and bytes that would encode U+F780…U+F7FF are
/// escaped the same way, so that decoding is exact and no two raw names share a key.
enum EntryName {
  /// The key of a raw name.
  static func key(_ raw: some Collection<UInt8>) -> String {
    if raw.allSatisfy({ $0 < 0x80 }) { return String(decoding: raw, as: UTF8.self) }
    var key = String.UnicodeScalarView()
    var decoder = UTF8()
    var position = raw.startIndex
    while position != raw.endIndex {
      var rest = raw[position...].makeIterator()
      if case .scalarValue(let scalar) = decoder.decode(&rest), !isEscape(scalar) {
        key.append(scalar)
        position = raw.index(position, offsetBy: UTF8.width(scalar))
      } else {
        key.append(escape(raw[position]))
        position = raw.index(after: position)
      }
      decoder = UTF8()
    }
    return String(key)
  }

  /// The raw bytes of a key.
  static func raw(_ key: String) -> [UInt8] {
    if !mayHaveEscapes(key) { return Array(key.utf8) }
    var raw: [UInt8] = []
    raw.reserveCapacity(key.utf8.count)
    for scalar in key.unicodeScalars {
      if isEscape(scalar) {
        raw.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        raw.append(contentsOf: scalar.utf8)
      }
    }
    return raw
  }

  /// An escape begins with the byte 0xEF.
  private static func mayHaveEscapes(_ key: String) -> Bool {
    unsafe key.utf8Span.span.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return false }
      return unsafe memchr(start, 0xEF, bytes.count) != nil
    }
  }

  /// The name of an entry with that of the archive that contains it in front.
  static func joined(_ archive: String, _ name: String) -> String {
    archive + "/" + (String(Substring(withoutDot(name.utf8[...]))))
  }

  /// A name without the leading "./" of tar writers, which makes no sense after an archive's name.
  static func withoutDot<Name: Collection>(_ name: Name) -> Name.SubSequence where Name.Element == UInt8 {
    var rest = name[...]
    while rest.count > 2, rest.starts(with: "./".utf8) { rest = rest.dropFirst(2) }
    return rest
  }

  /// A name of DOS, whose separator is a backslash, with slashes. A backslash is also the second byte of some characters of
  /// Shift-JIS.
  static func withSlashes(_ name: [UInt8]) -> [UInt8] {
    let isUTF8 = String(validating: name, as: UTF8.self) != nil
    var (name, isSecond) = (name, false)
    for index in name.indices {
      switch name[index] {
      case _ where isSecond: isSecond = false
      case UInt8(ascii: "\\"): name[index] = UInt8(ascii: "/")
      case 0x81...0x9F, 0xE0...0xFC: isSecond = !isUTF8
      default: break
      }
    }
    return name
  }

  /// Whether the raw name of a key stays inside the directory that it would be unpacked into.
  static func isSafeRelative(key: String) -> Bool {
    mayHaveEscapes(key) ? isSafeRelative(raw(key)) : isSafeRelative(key.utf8Span.span)
  }

  /// Whether a raw name stays inside the directory that it would be unpacked into.
  static func isSafeRelative(_ raw: [UInt8]) -> Bool { isSafeRelative(raw.span) }

  private static func isSafeRelative(_ raw: Span<UInt8>) -> Bool {
    guard !raw.isEmpty, !isSeparator(raw[0]) else { return false }
    var length = 0
    var dots = 0
    for index in raw.indices {
      let byte = raw[index]
      if byte == 0 { return false }
      if isSeparator(byte) {
        if length == 2, dots == 2 { return false }
        (length, dots) = (0, 0)
      } else {
        length += 1
        if byte == UInt8(ascii: ".") { dots += 1 }
      }
    }
    return length != 2 || dots != 2
  }

  // A backslash separates too: zip writers of DOS origin use it, and Windows would follow it.
  private static func isSeparator(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\\")
  }

  // Bytes below 0x80 are always valid UTF-8, so the range begins at U+F780.
  private static func isEscape(_ scalar: Unicode.Scalar) -> Bool { (0xF780...0xF7FF).contains(scalar.value) }
  private static func escape(_ byte: UInt8) -> Unicode.Scalar {
    Unicode.Scalar(0xF700 + UInt32(byte)) ?? "\u{FFFD}"
  }
}

/// A name that is compared byte by byte: for Swift's strings NFC and NFD are equal, for archives they are not.
package struct NameKey: Hashable, Sendable {
  package let name: String

  /// "./f", as tar writers begin every name, is "f".
  package init(_ name: String) {
    self.name =
      name.utf8.first == UInt8(ascii: ".") ? String(Substring(EntryName.withoutDot(name.utf8))) : name
  }

  /// The path that a name is, which a hard link may spell in another way than its target does.
  package init(path name: String) {
    self.name =
      EntryPath.isNormal(name.utf8Span.span)
      ? name : String(decoding: EntryPath(raw: Array(name.utf8)).bytes, as: UTF8.self)
  }

  package static func == (left: Self, right: Self) -> Bool {
    unsafe left.name.utf8Span.span.withUnsafeBytes { left in
      unsafe right.name.utf8Span.span.withUnsafeBytes { right in
        unsafe left.count == right.count
          && (left.isEmpty || memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0)
      }
    }
  }

  /// Whether its bytes come before the other's.
  func precedes(_ other: Self) -> Bool { name.utf8.lexicographicallyPrecedes(other.name.utf8) }

  package func hash(into hasher: inout Hasher) {
    unsafe name.utf8Span.span.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}
