import MemArchive
import TestSupport

extension Attack {
  /// The byte in the middle of a fixture is another one.
  private static func flipped(_ file: String) -> Attack {
    Attack("\(file): a changed byte", .error(.corrupt)) { try changed(file) { $0[$0.count / 2] ^= 0x10 } }
  }

  /// A fixture without its last third.
  private static func cut(_ file: String) -> Attack {
    Attack("\(file): cut", .error(.truncated)) { try changed(file) { $0.removeLast($0.count / 3) } }
  }

  static let compressionAttacks: [Attack] =
    [
      "tree.tar.xz", "tree.tar.lz4", "7z-copy.7z", "tree.tar.bz2", "tree.tar.lz", "tree.tar.gz",
      "tree.tar.zst",
    ].map(flipped)
    + ["tree.tar.gz", "tree.tar.xz", "tree.tar.lz4", "tree.tar.zst", "tree.tar.lz"].map(cut) + [
      Attack("gzip: wrong CRC", .error(.corrupt)) { Gzip.member(tar, crc: 1) },
      Attack("gzip: wrong length", .error(.corrupt)) { Gzip.member(tar, length: 1) },
      Attack("gzip: no trailer", .error(.truncated)) { Bytes(Gzip.member(tar).dropLast(8)) },
      Attack("gzip: half a trailer", .error(.truncated)) { Bytes(Gzip.member(tar).dropLast(3)) },
      Attack("gzip: a second member with a wrong CRC", .error(.corrupt)) {
        Gzip.member(tar) + Gzip.member(hello, crc: 2)
      },
      Attack("gzip: a lone file with a wrong CRC", .error(.corrupt)) { Gzip.member(hello, crc: 1) },
      Attack("gzip: reserved flag", .error(.corrupt)) {
        [0x1F, 0x8B, 8, 0xE0, 0, 0, 0, 0, 0, 3] + hello
      },
      Attack("gzip: garbage after the last member", .files(["hello"], warnings: ["garbage"])) {
        Gzip.member(tar) + Bytes("garbage".utf8)
      },
      Attack("gzip in gzip, thirty times", .error(.tooManyLayers)) {
        (0..<30).reduce(hello) { bytes, _ in Gzip.member(bytes) }
      },
      Attack(
        "gzip: a bomb of zeros", .error(.limitExceeded),
        options: ExtractionOptions(limits: ExtractionLimits(entryBytes: 1 << 20))
      ) { Gzip.deflated(Bytes(repeating: 0, count: 2 << 20)) },
      Attack("one more compression than may be", .error(.tooManyLayers)) {
        Gzip.member(try Fixture.bytes("tar-in-every-filter.tar.gz.bz2.xz.zst"))
      },
      Attack("lz4: a wrong header checksum", .error(.corrupt)) {
        [0x04, 0x22, 0x4D, 0x18, 0x64, 0x40, 0] + hello
      },
      Attack("lzma: more declared than there is", .error(.corrupt)) {
        try changed("hello.txt.lzma") { $0.replaceSubrange(5..<13, with: [0, 0, 1, 0, 0, 0, 0, 0]) }
      },
      Attack("lzip: another size in the trailer", .error(.corrupt)) {
        try changed("hello.txt.lz") { $0[$0.count - 16] ^= 1 }
      },
      Attack("xz: another size in the index", .error(.corrupt)) {
        try changed("hello.txt.xz") { $0[$0.count - 20] ^= 1 }
      },
      // As xz(1) says too; libarchive ignores it.
      Attack("xz: garbage after it", .error(.corrupt)) {
        try Fixture.bytes("hello.txt.xz") + Bytes(repeating: 0x47, count: 24)
      },
      Attack("bzip2: damaged first block", .error(.corrupt)) {
        Bytes("BZh91AY&SY".utf8) + Bytes(repeating: 0x55, count: 100)
      },
      Attack("xz: damaged first block", .error(.corrupt)) {
        [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0] + Bytes(repeating: 0x55, count: 100)
      },
      Attack("zstd: damaged first block", .error(.corrupt)) {
        [0x28, 0xB5, 0x2F, 0xFD] + Bytes(repeating: 0x55, count: 100)
      },
    ]
}
