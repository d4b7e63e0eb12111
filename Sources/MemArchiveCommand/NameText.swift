import FoundationEssentials
import MemArchive

/// Names in lines of output: escaped as by sha256sum(1), and on a terminal without control characters.
enum NameText {
  /// The name's raw bytes with backslash, newline and carriage return escaped, and on a terminal everything that `PlainText`
  /// escapes; and whether anything was escaped.
  static func escaped(_ name: String) -> (bytes: [UInt8], isEscaped: Bool) {
    let raw = ArchiveEntry.rawName(of: name)
    let name = Output.isTerminal ? onTerminal(name) : raw
    var bytes: [UInt8] = []
    for byte in name {
      switch byte {
      case UInt8(ascii: "\\") where !Output.isTerminal: bytes += Array("\\\\".utf8)
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      default: bytes.append(byte)
      }
    }
    return (bytes, bytes != raw)
  }

  private static func onTerminal(_ name: String) -> [UInt8] {
    let backslash: Unicode.Scalar = "\\"
    let parts = name.unicodeScalars.split(separator: backslash, omittingEmptySubsequences: false)
    return ArchiveEntry.rawName(of: PlainText.escaped(parts.map { String($0) }.joined(separator: "\\\\")))
  }
}

/// JSON records, one per line.
enum JSONLine {
  /// The version of what is documented in the article "The command line".
  static let version = 1

  static func encoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  /// The record's JSON, with an escape for each character that could control a terminal.
  static func bytes(_ record: some Encodable, by encoder: JSONEncoder) throws -> [UInt8] {
    let json = Array(try encoder.encode(record))
    guard json.contains(where: { $0 >= 0x7F }) else { return json + [0x0A] }
    let line = String(decoding: json, as: UTF8.self).unicodeScalars.map { scalar in
      guard PlainText.isUnsafe(scalar) else { return String(scalar) }
      let digits = String(scalar.value, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
    return Array(line.joined().utf8) + [0x0A]
  }
}
