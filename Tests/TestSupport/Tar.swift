/// Tar archives, built byte by byte.
package enum Tar {
  /// A ustar header and its padded body. `size` and `checksum` may lie.
  package static func entry(
    _ name: String, _ body: Bytes = [], type: Character = "0", link: String = "", size: Int? = nil,
    breakingChecksum: Bool = false, user: String = "", userID: Int = 0, mode: Int = 0o644
  ) -> Bytes {
    entry(
      Bytes(name.utf8), body, type: type, link: Bytes(link.utf8), size: size,
      breakingChecksum: breakingChecksum, user: user, userID: userID, mode: mode)
  }

  /// The same, whatever bytes names are of.
  static func entry(
    _ name: Bytes, _ body: Bytes, type: Character, link: Bytes, modified: Int64 = 1_700_000_000,
    size: Int? = nil, breakingChecksum: Bool = false, user: String = "", userID: Int = 0, mode: Int = 0o644
  ) -> Bytes {
    var header = Bytes(repeating: 0, count: 512)
    func put(_ bytes: some Collection<UInt8>, at offset: Int) {
      header.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    func put(_ text: String, at offset: Int) { put(text.utf8, at: offset) }
    put(name, at: 0)
    put(octal(mode, 7), at: 100)
    put(octal(userID, 7), at: 108)
    put("0000000\0", at: 116)
    put(octal(size ?? body.count, 11), at: 124)
    if 0..<1 << 33 ~= modified {
      put(octal(Int(modified), 11), at: 136)
    } else {
      // Base 256: big-endian, for times that octal digits do not reach.
      put([modified < 0 ? 0xFF : 0x80] + Bytes(repeating: modified < 0 ? 0xFF : 0, count: 3), at: 136)
      put((0..<8).map { UInt8(truncatingIfNeeded: modified >> (56 - 8 * $0)) }, at: 140)
    }
    put("        ", at: 148)
    put(String(type), at: 156)
    put(link, at: 157)
    put("ustar\u{0}00", at: 257)
    put(user, at: 265)
    let sum = header.reduce(0) { $0 + Int($1) } + (breakingChecksum ? 1 : 0)
    put(octal(sum, 6) + "\0 ", at: 148)
    return header + padded(body)
  }

  /// A pax header, which says so of the next entry.
  package static func pax(_ key: String, _ value: Bytes) -> Bytes {
    let rest = Bytes(" \(key)=".utf8) + value + [10]
    // The length counts its own digits.
    var length = rest.count + 1
    while "\(length)".utf8.count + rest.count != length { length += 1 }
    return entry("pax", Bytes("\(length)".utf8) + rest, type: "x")
  }

  package static let end = Bytes(repeating: 0, count: 1024)

  package static func archive(_ entries: Bytes...) -> Bytes { entries.reduce(into: []) { $0 += $1 } + end }

  private static func padded(_ body: Bytes) -> Bytes {
    body + Bytes(repeating: 0, count: (512 - body.count % 512) % 512)
  }

  private static func octal(_ value: Int, _ digits: Int) -> String {
    let text = String(value, radix: 8)
    return String(repeating: "0", count: digits - text.count) + text
  }
}

/// Entries of cpio archives.
package enum Cpio {
  /// A header of the newc format, and its padded body.
  package static func entry(_ name: String, _ body: Bytes, inode: Int, links: Int) -> Bytes {
    let fields = [inode, 0o100644, 0, 0, links, 0, body.count, 0, 0, 0, 0, name.utf8.count + 1, 0]
    let hexadecimal = fields.map { field in
      let digits = String(field, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
    func padded(_ bytes: Bytes) -> Bytes { bytes + Bytes(repeating: 0, count: -bytes.count & 3) }
    return padded(Bytes("070701\(hexadecimal.joined())\(name)\0".utf8)) + padded(body)
  }

  package static let end = entry("TRAILER!!!", [], inode: 0, links: 1)
}
