/// Bytes as programs read and write them: text where they are text, and anything else besides.
package struct ByteString: Hashable, Sendable {
  package var values: Bytes

  package init(_ values: some Sequence<UInt8>) { self.values = Array(values) }
  package init(contentsOfFile path: String) throws { values = try Bytes(contentsOfFile: path) }

  /// Without line ends; a last line without one counts too.
  package var lines: [ByteString] { values.split(separator: UInt8(ascii: "\n")).map { ByteString($0) } }

  /// What stands where the bytes are not UTF-8 is replaced: for text that is known to be text.
  package var text: String { String(decoding: values, as: UTF8.self) }

  package func write(to path: String) throws { try values.write(to: path) }

  package static func + (left: Self, right: Self) -> Self { Self(left.values + right.values) }
  package static func * (bytes: Self, count: Int) -> Self { Self((0..<count).flatMap { _ in bytes.values }) }
}

extension ByteString: ExpressibleByStringInterpolation {
  package init(stringLiteral text: String) { values = Array(text.utf8) }
}

extension ByteString: ExpressibleByArrayLiteral {
  package init(arrayLiteral values: UInt8...) { self.values = values }
}

extension ByteString: CustomStringConvertible {
  /// Text with every byte that a reader could not tell as \xNN; long ones are cut.
  package var description: String {
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

extension ByteString {
  /// The bytes of a fixture.
  package static func fixture(_ file: String) throws -> Self { Self(try Fixture.bytes(file)) }

  /// A tar archive of these entries.
  package static func tar(_ entries: Self...) -> Self { entries.reduce("", +) + Self(Tar.end) }

  /// An entry of a tar archive.
  package static func entry(
    _ name: Self, _ body: Self = "", type: Character = "0", link: Self = "",
    modified: Int64 = 1_700_000_000
  ) -> Self {
    Self(Tar.entry(name.values, body.values, type: type, link: link.values, modified: modified))
  }
}
