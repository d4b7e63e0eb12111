import MemArchive
import TestSupport

/// Declared sizes that are larger or smaller than the actual ones, in every format that is read by default.
extension Attack {
  /// 7z-plain-header.7z with another unpacked size than its 1529 bytes, and corrected header checksums.
  private static func sevenZip(claiming size: UInt16) throws -> Bytes {
    try changed("7z-plain-header.7z") { bytes in
      let start = 32 + Int(bytes[12]) + Int(bytes[13]) << 8
      // kCodersUnPackSize, and a number in two bytes.
      for index in start..<bytes.count - 2 where bytes[index...].starts(with: [0x0C, 0x85, 0xF9]) {
        bytes[index + 1] = 0x80 | UInt8(size >> 8)
        bytes[index + 2] = UInt8(size & 255)
      }
      bytes.replaceSubrange(28..<32, with: little(Gzip.checksum(Bytes(bytes[start...]))))
      bytes.replaceSubrange(8..<12, with: little(Gzip.checksum(Bytes(bytes[12..<32]))))
    }
  }

  /// tree/hello.txt of a cpio with another size than its 21 bytes.
  private static func cpio(_ file: String, _ old: String, _ new: String) throws -> Bytes {
    try changed(file) { bytes in
      let name = Bytes("tree/hello.txt\0".utf8)
      guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: name) }),
        let start = (0...end - old.utf8.count).last(where: { bytes[$0...].starts(with: old.utf8) })
      else { return bytes.removeAll() }
      bytes.replaceSubrange(start..<start + old.utf8.count, with: new.utf8)
    }
  }

  static let sizeAttacks: [Attack] = [
    Attack("7z: less declared than there is", .error(.corrupt)) { try sevenZip(claiming: 1520) },
    Attack("7z: more declared than there is", .error(.corrupt)) { try sevenZip(claiming: 1800) },
    Attack("cpio, newc: more declared than there is", .error(.truncated, entry: "tree/hello.txt")) {
      try cpio("cpio-newc.cpio", "00000015", "0FFFFFF0")
    },
    Attack("cpio, newc: less declared than there is", .error(.corrupt)) {
      try cpio("cpio-newc.cpio", "00000015", "00000004")
    },
    Attack("cpio, odc: more declared than there is", .error(.truncated, entry: "tree/hello.txt")) {
      try cpio("cpio-odc.cpio", "00000000025", "00000777777")
    },
    Attack("cpio, odc: less declared than there is", .error(.corrupt)) {
      try cpio("cpio-odc.cpio", "00000000025", "00000000004")
    },
    // libarchive 3.6.2 searches the following data for the next header, and here finds the last one first: everything
    // between would be lost silently.
    Attack("cpio, crc: less declared than there is", .error(.corrupt, entry: "tree/hello.txt")) {
      try cpio("cpio-crc.cpio", "00000015", "00000004")
    },
    Attack("ar: less declared than there is", .error(.corrupt)) {
      try changed("ar-package.deb") { $0.replaceSubrange(56..<66, with: Bytes("2         ".utf8)) }
    },
    // The frame's checksum covers what is there: only the size in its header contradicts.
    Attack("zstd: more declared than there is", .error(.corrupt)) { zstd(claiming: 500) },
    Attack("zstd: less declared than there is", .error(.corrupt)) { zstd(claiming: 3) },
    Attack("lz4: more declared than there is", .error(.corrupt)) { lz4(claiming: 500) },
    Attack("lz4: less declared than there is", .error(.corrupt)) { lz4(claiming: 3) },
    Attack("lzma: less declared than there is", .error(.corrupt)) {
      try changed("hello.txt.lzma") { $0.replaceSubrange(5..<13, with: [4, 0, 0, 0, 0, 0, 0, 0]) }
    },
    Attack("lzip: less in the trailer than there is", .error(.corrupt)) {
      try changed("hello.txt.lz") { $0[$0.count - 16] = 4 }
    },
    Attack("gzip: less in the trailer than there is", .error(.corrupt)) { Gzip.member(hello, length: 2) },
    Attack("gzip: more in the trailer than there is", .error(.corrupt)) { Gzip.member(hello, length: .max) },
    Attack("zip: less declared than there is, deflated", .error(.corrupt, entry: "a")) {
      deflated(claiming: 5)
    },
    Attack("zip: more declared than there is, deflated", .error(.corrupt, entry: "a")) {
      deflated(claiming: 5000)
    },
  ]

  private static func deflated(claiming size: Int) -> Bytes {
    let body = Bytes(Gzip.deflated(hello).dropFirst(10).dropLast(8))
    let local = Zip.localHeader(
      "a", method: 8, checksum: Gzip.checksum(hello), compressed: body.count, size: size)
    let central = Zip.centralHeader(
      "a", method: 8, checksum: Gzip.checksum(hello), compressed: body.count, size: size, offset: 0)
    return local + body + central
      + Zip.end(count: 1, size: central.count, offset: local.count + body.count)
  }

  /// One raw block (RFC 8878, 3.1.1), with the content's size in two bytes where that is 256 and more.
  private static func zstd(claiming size: Int) -> Bytes {
    let frame: Bytes = size < 256 ? [0x20, UInt8(size)] : [0x60] + little(UInt16(size - 256))
    let block = UInt32(hello.count) << 3 | 1
    return [0x28, 0xB5, 0x2F, 0xFD] + frame + little(block).prefix(3) + hello
  }

  /// One block that is not compressed, with the content's size and the header's checksum.
  private static func lz4(claiming size: Int) -> Bytes {
    let descriptor: Bytes = [0x68, 0x40] + little(UInt64(size))
    return [0x04, 0x22, 0x4D, 0x18] + descriptor + [UInt8(truncatingIfNeeded: xxh32(descriptor) >> 8)]
      + little(UInt32(hello.count) | 1 << 31) + hello + [0, 0, 0, 0]
  }

  /// xxHash of less than 16 bytes, with the seed 0.
  private static func xxh32(_ bytes: Bytes) -> UInt32 {
    func rotated(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
    let prime: [UInt32] = [2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393]
    var hash = prime[4] &+ UInt32(bytes.count)
    var rest = bytes[...]
    while rest.count >= 4 {
      let word = rest.prefix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      hash = rotated(hash &+ word &* prime[2], 17) &* prime[3]
      rest = rest.dropFirst(4)
    }
    for byte in rest { hash = rotated(hash &+ UInt32(byte) &* prime[4], 11) &* prime[0] }
    hash = (hash ^ hash >> 15) &* prime[1]
    hash = (hash ^ hash >> 13) &* prime[2]
    return hash ^ hash >> 16
  }
}
