import MemArchive
import TestSupport

extension Attack {
  /// Entries that each quote the headers of all later ones, so that one body of zeros is the content of all.
  private static func quotedOverlap(_ count: Int) -> Bytes {
    let zeros = Bytes(repeating: 0, count: 100_000)
    var body = Bytes(Gzip.deflated(zeros).dropFirst(10).dropLast(8))
    var content = zeros
    var locals: [(name: String, header: Bytes, compressed: Int, content: Bytes)] = []
    var data = body
    for index in (0..<count).reversed() {
      let name = "q\(index)"
      let header = Zip.localHeader(
        name, method: 8, checksum: Gzip.checksum(content), compressed: data.count, size: content.count)
      locals.insert((name, header, data.count, content), at: 0)
      body = header + data
      // A stored block that is not the last, with the header in it, followed by the next entry's stream.
      data = [0] + little(UInt16(header.count)) + little(~UInt16(header.count)) + body
      content = header + content
    }
    var directory: Bytes = []
    var offset = 0
    for local in locals {
      directory += Zip.centralHeader(
        local.name, method: 8, checksum: Gzip.checksum(local.content), compressed: local.compressed,
        size: local.content.count, offset: offset)
      offset += local.header.count + 5
    }
    return body + directory + Zip.end(count: count, size: directory.count, offset: body.count)
  }

  /// Zips in zips, `width` in each, `levels` deep.
  private static func nestedBomb(levels: Int, width: Int) -> Bytes {
    (0..<levels).reduce(Bytes(repeating: 0, count: 10_000)) { inner, level in
      Zip.archive((0..<width).map { .init("\($0)" + (level == 0 ? ".bin" : ".zip"), inner) })
    }
  }

  static let zipAttacks: [Attack] = [
    Attack("zip: names that lead out", .files(["../x", "/x", "a\\..\\b"])) {
      Zip.archive(.init("../x", hello), .init("/x", hello), .init("a\\..\\b", hello))
    },
    Attack("zip: no name", .error(.corrupt)) { Zip.archive(.init("", hello)) },
    Attack("zip: a NUL in a name", .error(.corrupt, entry: "a\0b")) { Zip.archive(.init("a\0b", hello)) },
    Attack(
      "zip: the flag for UTF-8 on a name that is not", .files(["a\u{F7FF}b"], warnings: ["flagged as UTF-8"])
    ) {
      var bytes = Zip.archive(.init("aXb", hello, flags: 1 << 11))
      for index in bytes.indices where bytes[index] == UInt8(ascii: "X") { bytes[index] = 0xFF }
      return bytes
    },
    Attack("zip: wrong CRC", .error(.corrupt, entry: "a")) { Zip.archive(.init("a", hello, crc: 1)) },
    Attack("zip: less declared than there is", .error(.corrupt, entry: "a")) {
      Zip.archive(.init("a", hello, size: 5))
    },
    Attack("zip: more declared than there is", .error(.corrupt, entry: "a")) {
      Zip.archive(.init("a", hello, size: 500))
    },
    Attack("zip: encrypted, no passphrase", .error(.passphraseRequired, entry: "a")) {
      Zip.archive(.init("a", hello, flags: 1))
    },
    Attack("zip: unknown method", .error(.unsupportedFeature, entry: "a")) {
      Zip.archive(.init("a", hello, method: 77))
    },
    Attack("zip: no central directory", .error(.truncated)) {
      Zip.archive(.init("a", hello), withDirectory: false)
    },
    Attack("zip: a directory that counts an entry and has none", .error(.corrupt)) {
      Zip.emptyDirectory(counting: 1)
    },
    Attack(
      "zip: two names for one entry", .files(["local", "b"], warnings: ["\"central\" in its directory"])
    ) {
      Zip.archive(.init("central", hello, localName: "local"), .init("b", hello))
    },
    Attack("zip: quoted overlap", .error(.corrupt, entry: "q0")) { quotedOverlap(60) },
    Attack(
      "zip: quoted overlap, allowed", .error(.limitExceeded),
      options: ExtractionOptions {
        $0.limits = ExtractionLimits(totalBytes: 1_000_000)
        $0.overlappingEntries = .read
      }
    ) { quotedOverlap(60) },
    Attack("zip: bytes after its end", .files(["a"], warnings: ["does not end where its last record says"])) {
      Zip.archive(.init("a", hello)) + Bytes("anything".utf8)
    },
    Attack("zip: zeros after its end", .files(["a"])) {
      Zip.archive(.init("a", hello)) + Bytes(repeating: 0, count: 10_000)
    },
    Attack(
      "zip: zips in zips in zips", .error(.limitExceeded),
      options: ExtractionOptions(limits: ExtractionLimits(totalBytes: 2_000_000)), nested: .expand
    ) { nestedBomb(levels: 3, width: 8) },
    Attack("zip: deeper than archives may lie in each other", .error(.tooManyLayers), nested: .expand) {
      nestedBomb(levels: 8, width: 1)
    },
    Attack("a program with a zip at its end", .files(["a"])) {
      [0x7F, 0x45, 0x4C, 0x46] + Bytes(repeating: 0x90, count: 500) + Zip.archive(.init("a", hello))
    },
    Attack("a picture with a zip at its end", .files(["a"])) {
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Bytes(repeating: 7, count: 500)
        + Zip.archive(.init("a", hello))
    },
    Attack("a tar with a zip at its end", .files(["hello"], warnings: [".zip"])) {
      tar + Zip.archive(.init("in zip", hello))
    },
    Attack(
      "a tar with a zip at its end, read as zip", .files(["in zip"]),
      options: ExtractionOptions(formats: .zip)
    ) { tar + Zip.archive(.init("in zip", hello)) },
  ]
}
