import Foundation

/// Bytes as programs read and write them: text where they are text, and anything else besides.
struct Bytes: Hashable, Sendable {
  var values: [UInt8]

  init(_ values: some Sequence<UInt8>) { self.values = Array(values) }

  /// Without line ends; a last line without one counts too.
  var lines: [Bytes] { values.split(separator: UInt8(ascii: "\n")).map { Bytes($0) } }

  /// What stands where the bytes are not UTF-8 is replaced: for text that is known to be text.
  var text: String { String(decoding: values, as: UTF8.self) }

  static func + (left: Bytes, right: Bytes) -> Bytes { Bytes(left.values + right.values) }
  static func * (bytes: Bytes, count: Int) -> Bytes { Bytes((0..<count).flatMap { _ in bytes.values }) }
}

extension Bytes: ExpressibleByStringInterpolation {
  init(stringLiteral text: String) { values = Array(text.utf8) }
}

extension Bytes: ExpressibleByArrayLiteral {
  init(arrayLiteral values: UInt8...) { self.values = values }
}

extension Bytes: CustomStringConvertible {
  /// Text with every byte that a reader could not tell as \xNN; long ones are cut.
  var description: String {
    var description = values.count > Self.shown ? "(\(values.count) bytes) " : ""
    for byte in values.prefix(Self.shown) {
      switch byte {
      case UInt8(ascii: "\n"): description += "\\n\n"
      case 0x20..<0x7F: description.unicodeScalars.append(Unicode.Scalar(byte))
      default: description += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }
    return description
  }

  private static let shown = 4096
}

extension Bytes {
  /// Writes them as a file.
  func write(to path: String) throws {
    try Data(values).write(to: URL(filePath: path))
  }
}
