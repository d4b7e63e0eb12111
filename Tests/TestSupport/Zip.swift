/// Zip archives, built byte by byte.
package enum Zip {
  /// A local header with its body, and what the central directory will say of it.
  package struct Entry {
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
    package init(
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
  package static func emptyDirectory(counting count: UInt16) -> Bytes {
    [0x50, 0x4B, 5, 6] + Bytes(repeating: 0, count: 4) + little(count) + little(count)
      + Bytes(repeating: 0, count: 10)
  }

  /// - Parameter counting: what the end record counts, where that is not the number of entries.
  package static func archive(_ entries: Entry..., withDirectory: Bool = true, counting: Int? = nil) -> Bytes
  {
    archive(entries, withDirectory: withDirectory, counting: counting)
  }

  package static func archive(_ entries: [Entry], withDirectory: Bool = true, counting: Int? = nil) -> Bytes {
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
  package static func localHeader(
    _ name: String, method: UInt16, checksum: UInt32, compressed: Int, size: Int
  ) -> Bytes {
    [0x50, 0x4B, 3, 4] + common(name, method, checksum, compressed, size) + Bytes(name.utf8)
  }

  /// A header of the central directory (4.3.12).
  package static func centralHeader(
    _ name: String, method: UInt16, checksum: UInt32, compressed: Int, size: Int, offset: Int
  ) -> Bytes {
    [0x50, 0x4B, 1, 2] + little(UInt16(0x0314)) + common(name, method, checksum, compressed, size)
      + Bytes(repeating: 0, count: 6) + little(UInt32(0o100644) << 16) + little(UInt32(offset))
      + Bytes(name.utf8)
  }

  /// The end of central directory record (4.3.16).
  package static func end(count: Int, size: Int, offset: Int) -> Bytes {
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
