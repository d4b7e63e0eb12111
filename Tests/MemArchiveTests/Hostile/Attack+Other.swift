import MemArchive
import TestSupport

/// Files that are not archives, and formats with few ways to fail.
extension Attack {
  static let otherAttacks: [Attack] = [
    Attack("garbage", .error(.unrecognizedFormat)) {
      Bytes("this is no archive at all, however long one looks at it".utf8)
    },
    Attack("nothing", .files([], warnings: ["no bytes"])) { [] },
    Attack("zeros", .files([])) { Bytes(repeating: 0, count: 4096) },
    Attack("lzop", .error(.unsupportedFormat)) {
      [0x89, 0x4C, 0x5A, 0x4F, 0, 0x0D, 0x0A, 0x1A, 0x0A] + hello
    },
    Attack("lrzip", .error(.unsupportedFormat)) { Bytes("LRZI\0\u{6}".utf8) + hello },
    Attack("grzip", .error(.unsupportedFormat)) { Bytes("GRZipII\0".utf8) + hello },
    Attack("a listing in mtree's format", .error(.unrecognizedFormat)) {
      Bytes("#mtree\n./a type=file size=3\n".utf8)
    },
    Attack("7z: a header of zeros", .error(.corrupt)) {
      [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C] + Bytes(repeating: 0, count: 200)
    },
    Attack("cpio: more declared than there is", .error(.truncated)) {
      try changed("cpio-newc.cpio") { $0.replaceSubrange(54..<62, with: Bytes("00100000".utf8)) }
    },
    Attack(
      "cpio: another one after its end",
      .files(Fixture.names("cpio-newc.cpio"), warnings: ["after the end"])
    ) {
      try Fixture.bytes("cpio-newc.cpio") + Fixture.bytes("cpio-odc.cpio")
    },
    Attack("7z: padding after it", .files(Fixture.names("7z-copy.7z"))) {
      try Fixture.bytes("7z-copy.7z") + Bytes(repeating: 0, count: 200_000)
    },
    Attack("ar: more declared than there is", .error(.truncated)) {
      try changed("ar-package.deb") { $0.replaceSubrange(56..<66, with: Bytes("9999999   ".utf8)) }
    },
  ]
}
