/// Tar archives built byte by byte, for what no fixture holds.
enum Tar {
  /// A header in GNU's dialect, and its padded body.
  static func entry(
    _ name: Bytes, _ body: Bytes = "", type: Character = "0", link: Bytes = "",
    modified: Int64 = 1_700_000_000
  ) -> Bytes {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ bytes: Bytes, at offset: Int) {
      header.replaceSubrange(offset..<offset + bytes.values.count, with: bytes.values)
    }
    put(name, at: 0)
    put("0000644", at: 100)
    put("0000000", at: 108)
    put("0000000", at: 116)
    put(octal(body.values.count, digits: 11), at: 124)
    // Base 256: big-endian, for times that octal digits do not reach.
    put([modified < 0 ? 0xFF : 0x80], at: 136)
    if modified < 0 { put([0xFF, 0xFF, 0xFF], at: 137) }
    put(Bytes((0..<8).map { UInt8(truncatingIfNeeded: modified >> (56 - 8 * $0)) }), at: 140)
    put("        ", at: 148)
    put(Bytes(String(type).utf8), at: 156)
    put(link, at: 157)
    put("ustar  ", at: 257)
    put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + [0], at: 148)
    return Bytes(header) + body + [0] * ((512 - body.values.count % 512) % 512)
  }

  /// The entries and the two blocks of zeros that end an archive.
  static func archive(_ entries: Bytes...) -> Bytes { entries.reduce("", +) + [0] * 1024 }

  private static func octal(_ value: Int, digits: Int) -> Bytes {
    let text = String(value, radix: 8)
    return Bytes((String(repeating: "0", count: digits - text.utf8.count) + text).utf8)
  }
}
