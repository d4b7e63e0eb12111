import CZlib

/// Archives built byte by byte, so that a test can say what is wrong with them.
typealias Bytes = [UInt8]

enum Tar {
  /// A ustar header and its padded body. `size` and `checksum` may lie.
  static func entry(
    _ name: String, _ body: Bytes = [], type: Character = "0", link: String = "", size: Int? = nil,
    breakingChecksum: Bool = false, user: String = "", userID: Int = 0
  ) -> Bytes {
    var header = Bytes(repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    put(name, at: 0)
    put("0000644\0", at: 100)
    put(octal(userID, 7), at: 108)
    put("0000000\0", at: 116)
    put(octal(size ?? body.count, 11), at: 124)
    put(octal(1_700_000_000, 11), at: 136)
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
  static func pax(_ key: String, _ value: Bytes) -> Bytes {
    let rest = Bytes(" \(key)=".utf8) + value + [10]
    // The length counts its own digits.
    var length = rest.count + 1
    while "\(length)".utf8.count + rest.count != length { length += 1 }
    return entry("pax", Bytes("\(length)".utf8) + rest, type: "x")
  }

  static let end = Bytes(repeating: 0, count: 1024)

  static func archive(_ entries: Bytes...) -> Bytes { entries.reduce(into: []) { $0 += $1 } + end }

  private static func padded(_ body: Bytes) -> Bytes {
    body + Bytes(repeating: 0, count: (512 - body.count % 512) % 512)
  }

  private static func octal(_ value: Int, _ digits: Int) -> String {
    let text = String(value, radix: 8)
    return String(repeating: "0", count: digits - text.count) + text
  }
}

enum Cpio {
  /// A header of the newc format, and its padded body.
  static func entry(_ name: String, _ body: Bytes, inode: Int, links: Int) -> Bytes {
    let fields = [inode, 0o100644, 0, 0, links, 0, body.count, 0, 0, 0, 0, name.utf8.count + 1, 0]
    let hexadecimal = fields.map { field in
      let digits = String(field, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }
    func padded(_ bytes: Bytes) -> Bytes { bytes + Bytes(repeating: 0, count: -bytes.count & 3) }
    return padded(Bytes("070701\(hexadecimal.joined())\(name)\0".utf8)) + padded(body)
  }

  static let end = entry("TRAILER!!!", [], inode: 0, links: 1)
}

enum Gzip {
  /// One member of stored blocks (RFC 1951, 3.2.4): no compressor is needed, and every byte is where one expects it.
  static func member(
    _ body: Bytes, name: String? = nil, comment: String? = nil, crc: UInt32? = nil, length: UInt32? = nil
  ) -> Bytes {
    let flags: UInt8 = (name == nil ? 0 : 8) | (comment == nil ? 0 : 16)
    var bytes: Bytes = [0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 3]
    if let name { bytes += Bytes(name.utf8) + [0] }
    if let comment { bytes += Bytes(comment.utf8) + [0] }
    var rest = body[...]
    repeat {
      let block = rest.prefix(65_535)
      rest = rest.dropFirst(block.count)
      bytes += [rest.isEmpty ? 1 : 0] + little(UInt16(block.count)) + little(~UInt16(block.count)) + block
    } while !rest.isEmpty
    return bytes + little(crc ?? checksum(body)) + little(length ?? UInt32(truncatingIfNeeded: body.count))
  }

  /// One member, compressed as well as zlib can.
  static func deflated(_ body: Bytes) -> Bytes {
    var size = compressBound(UInt(body.count))
    var bytes = Bytes(repeating: 0, count: Int(size))
    compress2(&bytes, &size, body, UInt(body.count), Z_BEST_COMPRESSION)
    // zlib's wrapping (RFC 1950) is two bytes in front and four behind.
    return [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3] + bytes[2..<(Int(size) - 4)] + little(checksum(body))
      + little(UInt32(body.count))
  }

  static func checksum(_ body: Bytes) -> UInt32 { UInt32(crc32(0, body, UInt32(body.count))) }
}

enum Zip {
  /// A local header with its body, and what the central directory will say of it.
  struct Entry {
    let name: Bytes
    let body: Bytes
    var crc: UInt32?
    var size: UInt32?
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// The name in the local header, where it is another one.
    var localName: Bytes?
    var comment = ""
    var attributes: UInt32 = 0o100644 << 16
    init(
      _ name: String, _ body: Bytes, crc: UInt32? = nil, size: UInt32? = nil, method: UInt16 = 0,
      flags: UInt16 = 0, localName: String? = nil, comment: String = "", attributes: UInt32 = 0o100644 << 16
    ) {
      (self.localName, self.comment, self.attributes) = (
        localName.map { Bytes($0.utf8) }, comment, attributes
      )
      (self.name, self.body, self.crc, self.size) = (Bytes(name.utf8), body, crc, size)
      (self.method, self.flags) = (method, flags)
    }
    fileprivate func common(_ name: Bytes) -> Bytes {
      little(UInt16(20)) + little(flags) + little(method) + little(UInt16(0)) + little(UInt16(0x5821))
        + little(crc ?? Gzip.checksum(body)) + little(UInt32(body.count)) + little(size ?? UInt32(body.count))
        + little(UInt16(name.count)) + little(UInt16(0))
    }
  }

  /// An end of central directory record that counts entries and is all there is.
  static func emptyDirectory(counting count: UInt16) -> Bytes {
    [0x50, 0x4B, 5, 6] + Bytes(repeating: 0, count: 4) + little(count) + little(count)
      + Bytes(repeating: 0, count: 10)
  }

  /// - Parameter counting: what the end record counts, where that is not the number of entries.
  static func archive(_ entries: Entry..., withDirectory: Bool = true, counting: Int? = nil) -> Bytes {
    archive(entries, withDirectory: withDirectory, counting: counting)
  }

  static func archive(_ entries: [Entry], withDirectory: Bool = true, counting: Int? = nil) -> Bytes {
    var bytes: Bytes = []
    var directory: Bytes = []
    for entry in entries {
      directory += [0x50, 0x4B, 1, 2] + little(UInt16(0x0314)) + entry.common(entry.name)
      directory += little(UInt16(entry.comment.utf8.count)) + Bytes(repeating: 0, count: 4)
      directory += little(entry.attributes) + little(UInt32(bytes.count)) + entry.name
      directory += Bytes(entry.comment.utf8)
      let localName = entry.localName ?? entry.name
      bytes += [0x50, 0x4B, 3, 4] + entry.common(localName) + localName + entry.body
    }
    guard withDirectory else { return bytes }
    let start = UInt32(bytes.count)
    bytes += directory + [0x50, 0x4B, 5, 6] + Bytes(repeating: 0, count: 4)
    bytes += little(UInt16(counting ?? entries.count)) + little(UInt16(counting ?? entries.count))
    return bytes + little(UInt32(directory.count)) + little(start) + little(UInt16(0))
  }
}

extension Zip {
  /// A local header (APPNOTE 4.3.7).
  static func localHeader(
    _ name: String, method: UInt16, checksum: UInt32, compressed: Int, size: Int
  ) -> Bytes {
    [0x50, 0x4B, 3, 4] + common(name, method, checksum, compressed, size) + Bytes(name.utf8)
  }

  /// A header of the central directory (4.3.12).
  static func centralHeader(
    _ name: String, method: UInt16, checksum: UInt32, compressed: Int, size: Int, offset: Int
  ) -> Bytes {
    [0x50, 0x4B, 1, 2] + little(UInt16(0x0314)) + common(name, method, checksum, compressed, size)
      + Bytes(repeating: 0, count: 6) + little(UInt32(0o100644) << 16) + little(UInt32(offset))
      + Bytes(name.utf8)
  }

  /// The end of central directory record (4.3.16).
  static func end(count: Int, size: Int, offset: Int) -> Bytes {
    [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(UInt16(count)) + little(UInt16(count)) + little(UInt32(size))
      + little(UInt32(offset)) + [0, 0]
  }

  private static func common(
    _ name: String, _ method: UInt16, _ checksum: UInt32, _ compressed: Int, _ size: Int
  ) -> Bytes {
    little(UInt16(20)) + little(UInt16(0)) + little(method) + little(UInt16(0)) + little(UInt16(0x5821))
      + little(checksum) + little(UInt32(compressed)) + little(UInt32(size)) + little(UInt16(name.utf8.count))
      + little(UInt16(0))
  }
}

func little<Value: FixedWidthInteger>(_ value: Value) -> Bytes {
  withUnsafeBytes(of: value.littleEndian) { Bytes($0) }
}
