import FoundationEssentials
import MemArchive

/// How a record stands in a line of its own.
enum JSONLine {
  /// The record's JSON, in which no character is left that a terminal would obey: JSON has an escape for each of them.
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
