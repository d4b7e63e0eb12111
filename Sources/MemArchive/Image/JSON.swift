/// A JSON text, RFC 8259, read strictly and within bounds, because whoever made an archive wrote it: UTF-8 without a byte order
/// mark, nothing after the value, no name twice in an object, no lone surrogate.
enum JSON: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number; nil for one that is no integer of 64 bits.
  case number(Int64?)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// Upper bound of a text's bytes, as the OCI distribution specification has it for manifests.
  static let mostBytes = 4 << 20
  /// Upper bound of arrays and objects in each other.
  static let mostDepth = 64
  /// Upper bound of values: each takes a hundred bytes of memory, and two of the text.
  static let mostValues = 100_000

  /// What is wrong with a text, and the byte at which that was met.
  struct Malformed: Error, Equatable {
    let reason: String
    let offset: Int
  }

  init(_ text: RawSpan) throws(Malformed) {
    guard text.byteCount <= Self.mostBytes else {
      throw Malformed(reason: "it is longer than \(Self.mostBytes) bytes", offset: 0)
    }
    var parser = JSONParser(Array(text))
    self = try parser.text()
  }

  /// The member of an object; nil where it is missing or null, or this is no object.
  subscript(name: String) -> JSON? {
    guard case .object(let members) = self, let value = members[name], value != .null else { return nil }
    return value
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var number: Int64? { if case .number(let number) = self { number } else { nil } }
  var array: [JSON]? { if case .array(let values) = self { values } else { nil } }
  var object: [String: JSON]? { if case .object(let members) = self { members } else { nil } }
}

extension [UInt8] {
  fileprivate init(_ text: RawSpan) { self = unsafe text.withUnsafeBytes { unsafe Array($0) } }
}

private struct JSONParser {
  private let bytes: [UInt8]
  private var at = 0
  private var values = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func text() throws(JSON.Malformed) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard at == bytes.count else { throw malformed("something follows the value") }
    return value
  }

  private mutating func value(depth: Int) throws(JSON.Malformed) -> JSON {
    values += 1
    guard values <= JSON.mostValues else { throw malformed("it has more than \(JSON.mostValues) values") }
    skipSpace()
    switch byte {
    case UInt8(ascii: "{"): return .object(try members(depth: try deeper(depth)))
    case UInt8(ascii: "["): return .array(try elements(depth: try deeper(depth)))
    case UInt8(ascii: "\""): return .string(try string())
    case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try number())
    default:
      for (word, value) in [("null", JSON.null), ("true", .bool(true)), ("false", .bool(false))]
      where bytes[at...].starts(with: word.utf8) {
        at += word.utf8.count
        return value
      }
      throw malformed("there is no value")
    }
  }

  private func deeper(_ depth: Int) throws(JSON.Malformed) -> Int {
    guard depth < JSON.mostDepth else {
      throw malformed("more than \(JSON.mostDepth) arrays and objects lie in each other")
    }
    return depth + 1
  }

  private mutating func members(depth: Int) throws(JSON.Malformed) -> [String: JSON] {
    var members: [String: JSON] = [:]
    at += 1
    if take("}") { return members }
    repeat {
      skipSpace()
      guard byte == UInt8(ascii: "\"") else { throw malformed("a member has no name") }
      let name = try string()
      guard take(":") else { throw malformed("a name has no value") }
      // Readers differ in which of two they believe; names that are canonically equivalent are one here.
      guard members.updateValue(try value(depth: depth), forKey: name) == nil else {
        throw malformed("an object has a name twice")
      }
    } while take(",")
    guard take("}") else { throw malformed("an object does not end") }
    return members
  }

  private mutating func elements(depth: Int) throws(JSON.Malformed) -> [JSON] {
    var elements: [JSON] = []
    at += 1
    if take("]") { return elements }
    repeat { elements.append(try value(depth: depth)) } while take(",")
    guard take("]") else { throw malformed("an array does not end") }
    return elements
  }

  private mutating func number() throws(JSON.Malformed) -> Int64? {
    let start = at
    _ = take(raw: "-")
    if !take(raw: "0") { try digits() }
    var isInteger = true
    if take(raw: ".") {
      try digits()
      isInteger = false
    }
    if take(raw: "e") || take(raw: "E") {
      if !take(raw: "+") { _ = take(raw: "-") }
      try digits()
      isInteger = false
    }
    return isInteger ? Int64(String(decoding: bytes[start..<at], as: UTF8.self)) : nil
  }

  private mutating func digits() throws(JSON.Malformed) {
    let start = at
    while let byte, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { at += 1 }
    guard at > start else { throw malformed("a number lacks digits") }
  }

  private mutating func string() throws(JSON.Malformed) -> String {
    let start = at
    var text: [UInt8] = []
    at += 1
    while true {
      guard let byte else { throw malformed("a string does not end") }
      at += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: text, as: UTF8.self) else {
          at = start
          throw malformed("a string is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): try appendEscaped(to: &text)
      case 0..<0x20: throw malformed("a string has a control character")
      default: text.append(byte)
      }
    }
  }

  private mutating func appendEscaped(to text: inout [UInt8]) throws(JSON.Malformed) {
    guard let byte else { throw malformed("a string does not end") }
    at += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var units = [try hexadecimal()]
      if UTF16.isLeadSurrogate(units[0]) {
        guard take(raw: "\\"), take(raw: "u") else { throw malformed("half of a surrogate pair is missing") }
        units.append(try hexadecimal())
      }
      guard let character = String(validating: units, as: UTF16.self) else {
        throw malformed("half of a surrogate pair is missing")
      }
      text += character.utf8
    default: throw malformed("a string has an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(JSON.Malformed) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = byte.flatMap({ Character(UnicodeScalar($0)).hexDigitValue }) else {
        throw malformed("an escape lacks digits")
      }
      unit = unit << 4 | UInt16(digit)
      at += 1
    }
    return unit
  }

  private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

  private mutating func skipSpace() {
    while let byte, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { at += 1 }
  }

  /// Takes a character after white space.
  private mutating func take(_ character: UnicodeScalar) -> Bool {
    skipSpace()
    return take(raw: character)
  }

  private mutating func take(raw character: UnicodeScalar) -> Bool {
    guard byte == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private func malformed(_ reason: String) -> JSON.Malformed { JSON.Malformed(reason: reason, offset: at) }
}
