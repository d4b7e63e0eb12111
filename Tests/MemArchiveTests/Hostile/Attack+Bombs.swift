import MemArchive
import TestSupport

/// Small archives that demand much: by their headers, by nesting, and with many entries over one body.
extension Attack {
  /// An old-style header that declares a body of this size.
  private static func tarMetadata(_ type: Character, _ count: Int, of byte: UInt8 = 0x61) -> Bytes {
    Gzip.deflated(
      Tar.archive(Tar.entry("meta", Bytes(repeating: byte, count: count), type: type), Tar.entry("a", hello)))
  }

  /// Many directory headers that all name one local header.
  private static func fullOverlap(_ count: Int) -> Bytes {
    let zeros = Bytes(repeating: 0, count: 100_000)
    let body = Bytes(Gzip.deflated(zeros).dropFirst(10).dropLast(8))
    let checksum = Gzip.checksum(zeros)
    let local = Zip.localHeader(
      "0000", method: 8, checksum: checksum, compressed: body.count, size: zeros.count)
    let directory = (0..<count).reduce(into: Bytes()) { bytes, index in
      let digits = String(index)
      bytes += Zip.centralHeader(
        String(repeating: "0", count: 4 - digits.count) + digits, method: 8, checksum: checksum,
        compressed: body.count, size: zeros.count, offset: 0)
    }
    return local + body + directory
      + Zip.end(count: count, size: directory.count, offset: local.count + body.count)
  }

  /// libarchive passes over the size of a 7z's header, which says itself where it ends.
  private static var headerOf8EiB: Verdict {
    #if FastDecoders
    .error(.corrupt)
    #else
    .files(Fixture.names("7z-plain-header.7z"))
    #endif
  }

  static let bombAttacks: [Attack] = [
    Attack("zip: it is in itself, kept", .files([Quine.name])) { Quine.zip },
    Attack("zip: it is in itself, expanded", .error(.tooManyLayers), nested: .expand) { Quine.zip },
    Attack("tar: a zip in it that is in itself", .error(.tooManyLayers), nested: .expand) {
      Tar.archive(Tar.entry("q.zip", Quine.zip))
    },
    Attack("a tar in a gzip in a tar, ten times", .error(.tooManyLayers), nested: .expand) {
      (0..<10).reduce(hello) { bytes, _ in Gzip.member(Tar.archive(Tar.entry("in.tar.gz", bytes))) }
    },
    Attack("zip: two thousand names for one body", .error(.corrupt, entry: "0000")) { fullOverlap(2000) },
    Attack(
      "zip: two thousand names for one body, allowed", .error(.limitExceeded),
      options: ExtractionOptions {
        $0.limits = ExtractionLimits(totalBytes: 1_000_000)
        $0.overlappingEntries = .read
      }
    ) { fullOverlap(2000) },
    Attack("tar: a long name of 50 MB", .error(.unsupportedFeature)) { tarMetadata("L", 50 << 20) },
    Attack("tar: a long link of 50 MB", .error(.unsupportedFeature)) { tarMetadata("K", 50 << 20) },
    Attack("tar: a pax header of 50 MB", .error(.unsupportedFeature)) { tarMetadata("x", 50 << 20) },
    Attack("tar: a global pax header of 50 MB", .error(.unsupportedFeature)) { tarMetadata("g", 50 << 20) },
    Attack("tar: pax headers of 6 MB together before one entry", .error(.unsupportedFeature, entry: "a")) {
      let attribute = Tar.pax("SCHILY.xattr.user.x", Bytes(repeating: 0x78, count: 2 << 20))
      return attribute + attribute + attribute + Tar.archive(Tar.entry("a", hello))
    },
    Attack("tar: a thousand headers before one entry", .error(.corrupt)) {
      (0..<1000).reduce(into: Bytes()) { bytes, _ in
        bytes += Tar.entry("g", Bytes("14 comment=ab\n".utf8), type: "g")
      }
        + Tar.archive(Tar.entry("a", hello))
    },
    Attack("tar: a pax record that says how long it is, and lies", .error(.corrupt, entry: "a")) {
      Tar.archive(Tar.entry("p", Bytes("999999999 path=b\n".utf8), type: "x"), Tar.entry("a", hello))
    },
    Attack(
      "tar: two thousand entries without content", .error(.limitExceeded),
      options: ExtractionOptions(limits: ExtractionLimits(entries: 1999))
    ) { Gzip.deflated((0..<2000).reduce(into: Bytes()) { $0 += Tar.entry("e\($1)") } + Tar.end) },
    Attack("zip: more entries counted than there are", .files(["a"], warnings: ["its end counts 65534"])) {
      Zip.archive([.init("a", hello)], counting: 65_534)
    },
    Attack("zip: a directory of 4 GiB", .files(["a"], warnings: ["a directory larger than itself"])) {
      Zip.archive(.init("a", hello), withDirectory: false)
        + Zip.end(count: 1, size: Int(UInt32.max) - 1, offset: 0)
    },
    Attack("gzip: a name that never ends", .error(.truncated)) {
      [0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 3] + Bytes(repeating: 0x61, count: 1 << 20)
    },
    Attack("7z: a header of 8 EiB", headerOf8EiB) {
      try changed("7z-plain-header.7z") { bytes in
        bytes.replaceSubrange(20..<28, with: Bytes(repeating: 0xFF, count: 7) + [0x7F])
        bytes.replaceSubrange(8..<12, with: little(Gzip.checksum(Bytes(bytes[12..<32]))))
      }
    },
    // Found by libFuzzer. libarchive requests that much at once, and is refused.
    Attack("7z: a packed header that unpacks to 3 TiB", .error(.corrupt)) {
      [
        0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C, 0x00, 0x04, 0x67, 0x51, 0x24, 0xB4, 0x4C, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x27, 0x00, 0x00, 0x4A, 0xDE, 0xF8, 0x84,
        0x00, 0x00, 0x81, 0x7A, 0x94, 0x9D, 0xF2, 0xBD, 0xA8, 0x65, 0x79, 0x0B, 0xB4, 0x5D, 0xEE, 0xE6,
        0x6A, 0xE6, 0x28, 0xBF, 0x7A, 0x8A, 0xBF, 0x64, 0x26, 0x96, 0x1F, 0x47, 0xA0, 0xE3, 0xF6, 0x97,
        0xDA, 0x17, 0xBE, 0xF4, 0xE4, 0x59, 0xD7, 0x8C, 0x67, 0x38, 0x2A, 0x0F, 0xE6, 0x07, 0xE6, 0x8A,
        0xBE, 0xA8, 0xC6, 0x66, 0x10, 0x25, 0x20, 0x67, 0x1F, 0x07, 0x60, 0xA5, 0x2C, 0x3D, 0x9C, 0xC6,
        0xB0, 0x33, 0xA0, 0xAB, 0xBA, 0xF6, 0xB3, 0xE1, 0x36, 0xFA, 0x5D, 0x00, 0x17, 0x06, 0x00, 0x01,
        0x09, 0x4C, 0x00, 0x07, 0x0B, 0x01, 0x00, 0x01, 0x23, 0x03, 0x01, 0x08, 0xFB, 0xA2, 0xFF, 0x10,
        0x00, 0x00, 0x0C, 0x6E, 0x0A, 0x01, 0xA1, 0x8D, 0xE2, 0xE7, 0x00, 0x00,
      ]
    },
    Attack("cpio: a name of 4 GiB", .error(.corrupt)) {
      try changed("cpio-newc.cpio") { $0.replaceSubrange(94..<102, with: Bytes("FFFFFFFF".utf8)) }
    },
    Attack("ar: a table of names of 9 GB", .error(.corrupt)) {
      Bytes("!<arch>\n//                                              9999999999`\n".utf8) + hello
    },
    Attack("lzma: a dictionary of 4 GiB", .error(.unsupportedFeature)) {
      try changed("hello.txt.lzma") { $0.replaceSubrange(1..<5, with: [0xFF, 0xFF, 0xFF, 0xFF]) }
    },
    Attack(
      "zip: names that look the same",
      .files(
        ["e\u{301}", "\u{E9}", "README", "readme", "./a", "\u{430}", "a ", "a."],
        warnings: ["a later entry of the same name", "equivalent"])
    ) {
      Zip.archive(
        ["e\u{301}", "\u{E9}", "README", "readme", "a", "./a", "\u{430}", "a ", "a."].map {
          .init($0, hello, flags: 1 << 11)
        })
    },
    Attack("tar: a link that is its own target", .files(["a"], warnings: ["leads to itself"])) {
      Tar.archive(Tar.entry("a", hello), Tar.entry("b", type: "1", link: "b"))
    },
    Attack(
      "cpio: bytes after its end", .files(Fixture.names("cpio-newc.cpio"), warnings: ["after the end"])
    ) {
      try Fixture.bytes("cpio-newc.cpio") + Bytes("anything".utf8)
    },
    Attack("7z: bytes after its end", .files(Fixture.names("7z-copy.7z"), warnings: ["after the end"])) {
      try Fixture.bytes("7z-copy.7z") + Bytes("anything".utf8)
    },
    Attack("zstd: bytes after it", .error(.corrupt)) {
      try Fixture.bytes("hello.txt.zst") + Bytes("anything".utf8)
    },
    Attack("lz4: bytes after it", .files(["data"], warnings: ["garbage"])) {
      try Fixture.bytes("hello.txt.lz4") + Bytes("anything".utf8)
    },
    Attack("lzip: bytes after it", .files(["data"], warnings: ["garbage"])) {
      try Fixture.bytes("hello.txt.lz") + Bytes("anything".utf8)
    },
    Attack("bzip2: bytes behind it", .files(["data"], warnings: ["garbage"])) {
      try Fixture.bytes("hello.txt.bz2") + Bytes("anything".utf8)
    },
    Attack("a tar within a picture's name", .error(.unrecognizedFormat)) {
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Bytes(repeating: 7, count: 504) + tar
    },
    Attack("a gzip with a zip at its end", .files(["data"], warnings: [""])) {
      Gzip.member(hello) + Zip.archive(.init("in zip", hello))
    },
    Attack(
      "a 7z with a zip at its end", .files(Fixture.names("7z-copy.7z"), warnings: ["after the end"])
    ) {
      try Fixture.bytes("7z-copy.7z") + Zip.archive(.init("in zip", hello))
    },
    Attack("two zips, one after the other", .files(["b"], warnings: ["bytes, which are ignored"])) {
      Zip.archive(.init("a", hello)) + Zip.archive(.init("b", hello))
    },
  ]
}
