/// Parts of LHA archives, of stored members.
package enum LHA {
  /// A member with a header of level 0.
  package static func short(_ name: Bytes, _ body: Bytes, method: String = "-lh0-") -> Bytes {
    let header =
      common(method, body.count, body.count, level: 0) + [UInt8(name.count)] + name + little(checksum(body))
    return [UInt8(header.count), header.reduce(0, &+)] + header + body
  }

  /// A member with a header of level 1, its directory and its name in extensions.
  package static func extended(_ directory: Bytes, _ name: Bytes, _ body: Bytes) -> Bytes {
    let (first, rest) = split(extensions([(1, name), (2, directory + [0xFF])], sizeBytes: 2))
    let header =
      common("-lh0-", body.count + rest.count, body.count, level: 1) + [0] + little(checksum(body))
      + Bytes("U".utf8)
      + first
    return [UInt8(header.count), header.reduce(0, &+)] + header + rest + body
  }

  /// A member with a header of level 2 or 3, under a CRC-16.
  package static func long(_ name: Bytes, _ body: Bytes, level: UInt8 = 2) -> Bytes {
    let sizeBytes = level == 2 ? 2 : 4
    let extensions = extensions([(0, [0, 0]), (1, name)], sizeBytes: sizeBytes)
    let fixed =
      common("-lh0-", body.count, body.count, level: level) + little(checksum(body)) + Bytes("U".utf8)
    let size = 2 + fixed.count + extensions.count + (level == 2 ? 0 : 4)
    var header = level == 2 ? little(UInt16(size)) + fixed : little(UInt16(4)) + fixed + little(UInt32(size))
    let sum = header.count + sizeBytes + 1
    header += extensions
    header.replaceSubrange(sum..<sum + 2, with: little(checksum(header)))
    return header + body
  }

  package static let end: Bytes = [0]

  /// From the method to the level.
  private static func common(_ method: String, _ packed: Int, _ size: Int, level: UInt8) -> Bytes {
    Bytes(method.utf8) + little(UInt32(packed)) + little(UInt32(size)) + little(UInt32(0x5921_6000)) + [
      0x20, level,
    ]
  }

  private static func extensions(_ parts: [(UInt8, Bytes)], sizeBytes: Int) -> Bytes {
    let sized = parts.flatMap { kind, value in
      Bytes(little(UInt32(sizeBytes + 1 + value.count)).prefix(sizeBytes)) + [kind] + value
    }
    return sized + Bytes(repeating: 0, count: sizeBytes)
  }

  private static func split(_ extensions: Bytes) -> (Bytes, Bytes) {
    (Bytes(extensions.prefix(2)), Bytes(extensions.dropFirst(2)))
  }

  package static func checksum(_ bytes: Bytes) -> UInt16 {
    bytes.reduce(0) { sum, byte in
      (0..<8).reduce(sum ^ UInt16(byte)) { sum, _ in sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xA001 }
    }
  }
}
