/// Untrusted text for a terminal or a log.
package enum PlainText {
  /// The text with an escape in place of each character that controls a terminal or reverses adjacent text:
  /// `\n`, `\r`, `\t`, `\u{1B}`, and `\x9B` for a byte of a name that is not UTF-8. Backslashes stay as they are, so that
  /// escaping twice changes nothing.
  package static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
    var escaped = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if let escape = escape(of: scalar) {
        escaped.append(contentsOf: escape.unicodeScalars)
      } else {
        escaped.append(scalar)
      }
    }
    return String(escaped)
  }

  private static func escape(of scalar: Unicode.Scalar) -> String? {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    case rawControls: "\\x" + hexadecimal(scalar.value & 0xFF)
    case _ where isUnsafe(scalar): "\\u{" + hexadecimal(scalar.value) + "}"
    default: nil
    }
  }

  /// Whether a character controls a terminal (C0, DEL, C1), begins another line, or reverses text (Unicode's
  /// Bidi_Control).
  package static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: scalar.properties.isBidiControl
    }
  }

  /// The bytes 0x80 to 0x9F as represented in names that are not UTF-8; an 8-bit terminal interprets them as C1.
  private static let rawControls: ClosedRange<Unicode.Scalar> = "\u{F780}"..."\u{F79F}"

  private static func hexadecimal(_ number: UInt32) -> String { String(number, radix: 16, uppercase: true) }
}
