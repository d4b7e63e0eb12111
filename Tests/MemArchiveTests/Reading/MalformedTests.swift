import Foundation
import MemArchive
import Testing

/// Archives that are wrong in one known way, built from bytes, and the verdict that is owed.
struct MalformedTests {
  struct Case: CustomTestStringConvertible {
    let testDescription: String
    let bytes: Bytes
    let code: ArchiveError.Code
    var entry: String?
    init(_ what: String, _ bytes: Bytes, _ code: ArchiveError.Code, entry: String? = nil) {
      (testDescription, self.bytes, self.code, self.entry) = (what, bytes, code, entry)
    }
  }

  static let hello = Bytes("hello, world\n".utf8)
  static let tar = Tar.archive(Tar.entry("hello", hello))

  /// A tar entry whose size field holds these twelve bytes.
  static func tarClaiming(_ size: Bytes, type: Character = "0") -> Bytes {
    var header = Tar.entry("a", type: type)
    header.replaceSubrange(124..<136, with: size)
    header.replaceSubrange(148..<156, with: Bytes("        ".utf8))
    let sum = String(header.reduce(0) { $0 + Int($1) }, radix: 8)
    let digits = String(repeating: "0", count: 6 - sum.count) + sum
    header.replaceSubrange(148..<156, with: Bytes((digits + "\0 ").utf8))
    return header + hello + Tar.end
  }

  /// A sparse file (GNU's format 1.0 in pax) of this size, all of it a hole.
  static func sparseTar(_ size: Int64) -> Bytes {
    let records = ["major=1", "minor=0", "name=big", "realsize=\(size)"].map { record in
      let text = " GNU.sparse.\(record)\n"
      // The length counts its own digits, two of them here.
      return "\(text.utf8.count + 2)" + text
    }
    let map = Bytes("0\n".utf8) + Bytes(repeating: 0, count: 510)
    return Tar.archive(
      Tar.entry("pax", Bytes(records.joined().utf8), type: "x"), Tar.entry("GNUSparseFile.0/big", map))
  }

  static let cases: [Case] = [
    Case(
      "garbage", Bytes("this is no archive at all, however long one looks at it".utf8), .unrecognizedFormat),
    Case("gzip: wrong CRC", Gzip.member(tar, crc: 1), .corrupt),
    Case("gzip: wrong length", Gzip.member(tar, length: 1), .corrupt),
    Case("gzip: no trailer", Bytes(Gzip.member(tar).dropLast(8)), .truncated),
    Case("gzip: half a trailer", Bytes(Gzip.member(tar).dropLast(3)), .truncated),
    Case("gzip: a second member with a wrong CRC", Gzip.member(tar) + Gzip.member(hello, crc: 2), .corrupt),
    Case("gzip: a lone file with a wrong CRC", Gzip.member(hello, crc: 1), .corrupt),
    Case("gzip: reserved flag", [0x1F, 0x8B, 8, 0xE0, 0, 0, 0, 0, 0, 3] + hello, .corrupt),
    Case(
      "gzip in gzip, thirty times", (0..<30).reduce(hello) { bytes, _ in Gzip.member(bytes) }, .tooManyLayers),
    Case(
      "tar: cut inside a body", Bytes(Tar.entry("big", Bytes(repeating: 1, count: 2000)).prefix(1500)),
      .truncated, entry: "big"),
    Case(
      "tar: a wrong header checksum",
      Tar.archive(Tar.entry("a", hello), Tar.entry("b", hello, breakingChecksum: true)), .corrupt),
    Case(
      "tar: more declared than there is", Tar.entry("a", hello, size: 1 << 20) + Tar.end, .truncated,
      entry: "a"),
    Case("zip: wrong CRC", Zip.archive(.init("a", hello, crc: 1)), .corrupt, entry: "a"),
    Case("zip: less declared than there is", Zip.archive(.init("a", hello, size: 5)), .corrupt, entry: "a"),
    Case("zip: more declared than there is", Zip.archive(.init("a", hello, size: 500)), .corrupt, entry: "a"),
    Case("zip: a NUL in a name", Zip.archive(.init("a\0b", hello)), .corrupt, entry: "a\0b"),
    Case(
      "tar: a size of 2^62", tarClaiming([0x80, 0, 0, 0, 0x40] + Bytes(repeating: 0, count: 7)),
      .limitExceeded),
    Case("tar: a negative size", tarClaiming(Bytes(repeating: 0xFF, count: 12)), .corrupt),
    Case(
      "tar: a long name of 1 TiB",
      tarClaiming([0x80, 0, 0, 0, 0, 0, 1] + Bytes(repeating: 0, count: 5), type: "L"), .corrupt),
    Case(
      "tar: a pax header of 1 TiB",
      tarClaiming([0x80, 0, 0, 0, 0, 0, 1] + Bytes(repeating: 0, count: 5), type: "x"), .corrupt),
    Case("tar: a hole of 100 GiB", sparseTar(100 << 30), .limitExceeded, entry: "big"),
    Case("tar: a hole of 8 EiB", sparseTar(.max), .limitExceeded, entry: "big"),
    Case("lz4: a wrong header checksum", [0x04, 0x22, 0x4D, 0x18, 0x64, 0x40, 0] + hello, .corrupt),
    Case("zip: unknown method", Zip.archive(.init("a", hello, method: 77)), .unsupportedFeature, entry: "a"),
    Case(
      "zip: encrypted, no passphrase", Zip.archive(.init("a", hello, flags: 1)), .passphraseRequired,
      entry: "a"),
    Case("zip: a directory that counts an entry and has none", Zip.emptyDirectory(counting: 1), .corrupt),
    Case(
      "7z: a header of zeros", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C] + Bytes(repeating: 0, count: 200),
      .corrupt),
    Case("zip: no central directory", Zip.archive(.init("a", hello), withDirectory: false), .truncated),
    Case(
      "bzip2: damaged first block", Bytes("BZh91AY&SY".utf8) + Bytes(repeating: 0x55, count: 100), .corrupt),
    Case(
      "xz: damaged first block", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0] + Bytes(repeating: 0x55, count: 100),
      .corrupt),
    Case(
      "zstd: damaged first block", [0x28, 0xB5, 0x2F, 0xFD] + Bytes(repeating: 0x55, count: 100), .corrupt),
    Case("lzop", [0x89, 0x4C, 0x5A, 0x4F, 0, 0x0D, 0x0A, 0x1A, 0x0A] + hello, .unsupportedFormat),
    Case("lrzip", Bytes("LRZI".utf8) + hello, .unsupportedFormat),
    Case("grzip", Bytes("GRZipII\0".utf8) + hello, .unsupportedFormat),
    Case("a listing in mtree's format", Bytes("#mtree\n./a type=file size=3\n".utf8), .unrecognizedFormat),
  ]

  @Test(arguments: cases)
  func `A malformed archive draws the verdict that is owed, and nothing is handed out`(malformed: Case) throws
  {
    let error = #expect(throws: ArchiveError.self) { try ArchiveReader(bytes: malformed.bytes).extract() }
    #expect(error?.code == malformed.code, "\(String(describing: error))")
    if let entry = malformed.entry { #expect(error?.entry == entry) }
    // libarchive's texts may be NULL, and its numbers are no errno.
    #expect(error?.reason.isEmpty == false)
    #expect(error?.advice.hasSuffix(".") == true)
    if malformed.code != .system { #expect(error?.errno == nil) }
  }

  @Test(arguments: [
    ("nothing", Bytes()), ("zeros", Bytes(repeating: 0, count: 4096)),
    ("an empty tar in gzip", Gzip.member(Tar.end, name: "empty.tar")),
  ])
  func `Nothing is an archive without entries`(_: String, bytes: Bytes) throws {
    #expect(try ArchiveReader(bytes: bytes).extract().isEmpty)
  }

  @Test func `A compressed file of zeros is a file, and a disk image is no empty tar`() throws {
    let zeros = Bytes(repeating: 0, count: 40_000)
    #expect(try ArchiveReader(bytes: Gzip.member(zeros, name: "zeros")).extract()["zeros"]?.size == 40_000)
    #expect(
      try ArchiveReader(bytes: Gzip.member(zeros + [1], name: "x.img")).extract()["x.img"]?.size == 40_001)
    let error = #expect(throws: ArchiveError.self) { try ArchiveReader(bytes: zeros + [1]).extract() }
    #expect(error?.code == .unrecognizedFormat)
  }

  @Test func `Garbage after gzip is a warning`() throws {
    let files = try ArchiveReader(bytes: Gzip.member(Self.tar) + Bytes("garbage".utf8)).extract()
    #expect(try files["hello"]?.text == "hello, world\n")
    #expect(files.warnings.map(\.text) == ["garbage after the end of the gzip stream was ignored"])
  }

  @Test func `Two members and zero padding are one stream`() throws {
    let half = Self.tar.count / 2
    let bytes =
      Gzip.member(Bytes(Self.tar.prefix(half))) + Gzip.member(Bytes(Self.tar.dropFirst(half)))
      + Bytes(repeating: 0, count: 700)
    let files = try ArchiveReader(bytes: bytes).extract()
    #expect(try files["hello"]?.text == "hello, world\n")
    #expect(files.warnings.isEmpty)
  }

  @Test func `A tar without its end marker is read with a warning`() throws {
    let files = try ArchiveReader(bytes: Tar.entry("a", Self.hello)).extract()
    #expect(files.count == 1)
    #expect(files.warnings.map(\.text) == ["the end-of-archive marker is missing"])
  }

  @Test func `Truncated anywhere, an archive is never taken for whole, and what comes is never wrong`() throws
  {
    let whole = Gzip.member(
      Tar.archive(Tar.entry("a", Self.hello), Tar.entry("b", Bytes(repeating: 9, count: 700))))
    for count in 1..<whole.count {
      #expect(throws: ArchiveError.self, "cut at \(count)") {
        try ArchiveReader(bytes: Bytes(whole.prefix(count))).extract()
      }
    }
  }

  @Test func `A flipped byte in gzip is found or changes nothing`() throws {
    let whole = Gzip.member(Tar.archive(Tar.entry("a", Self.hello)))
    var accepted = 0
    for position in whole.indices {
      var bytes = whole
      bytes[position] ^= 0x10
      guard let files = try? ArchiveReader(bytes: bytes).extract() else { continue }
      accepted += 1
      // Free of any check: the header's time, flags and operating system, and the bits that pad the first block's.
      #expect(position <= 10, "byte \(position)")
      #expect(try files["a"]?.text == "hello, world\n")
    }
    #expect(accepted <= 11)
  }

  @Test(arguments: ["../x", "/x", "a/../../b", "a\\..\\b", ""])
  func `A name that leads out is a key like any other, and refused on request`(name: String) throws {
    for bytes in [Tar.archive(Tar.entry(name, Self.hello)), Zip.archive(.init(name, Self.hello))] {
      // ustar has no way to say an empty name.
      if name.isEmpty, bytes.first != 0x50 { continue }
      let reader = ArchiveReader(bytes: bytes)
      let files = try reader.extract()
      #expect(files.names == [name])
      #expect(files.entries.map(\.isSafeRelative) == [false])
      let error = #expect(throws: ArchiveError.self) {
        try reader.extract(options: ExtractionOptions(insecureNames: .reject))
      }
      #expect(error?.code == .insecureName && error?.entry == name)
      let going = try reader.extract(
        options: ExtractionOptions(insecureNames: .reject, onError: .keepGoing))
      #expect(going.isEmpty && going.errors.map(\.code) == [.insecureName])
    }
  }

  @Test func `A flagged zip name that is not UTF-8 keeps its bytes`() throws {
    var bytes = Zip.archive(.init("aXb", Self.hello, flags: 1 << 11))
    for index in bytes.indices where bytes[index] == UInt8(ascii: "X") { bytes[index] = 0xFF }
    let entries = try ArchiveReader(bytes: bytes).entries()
    #expect(entries.map(\.rawName) == [[0x61, 0xFF, 0x62]])
  }

  @Test func `A data descriptor with a wrong CRC is nobody's word: the central directory decides`() throws {
    var bytes = try Fixture.bytes("zip-streamed.zip")
    let before = try ArchiveReader(bytes: bytes).extract()
    for index in bytes.indices.dropLast(8) where bytes[index...].starts(with: [0x50, 0x4B, 7, 8]) {
      bytes[index + 5] ^= 0xFF
    }
    let after = try ArchiveReader(bytes: bytes).extract()
    #expect(after.names == before.names)
    for (name, file) in before { #expect(try after[name]?.content == file.content) }
  }

  @Test(arguments: ["zip", "tar"])
  func `An archive that somebody truncates while it is read is truncated`(format: String) throws {
    let body = Bytes(repeating: 7, count: 1 << 20)
    let bytes =
      format == "zip"
      ? Zip.archive(.init("a", body), .init("b", body))
      : Tar.archive(Tar.entry("a", body), Tar.entry("b", body))
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    var stream = try ArchiveReader(path: path).stream()
    _ = try stream.next()
    #expect(truncate(path, 100) == 0)
    let error = #expect(throws: ArchiveError.self) {
      while let entry = try stream.next() { if entry.hasContent { _ = try stream.extract() } }
    }
    #expect(error?.code == .truncated)
  }

  @Test func `A hundred thousand entries without content are that many keys`() throws {
    let entries = (0..<100_000).flatMap { Tar.entry("f\($0)") }
    var count = 0
    var stream = try ArchiveReader(bytes: Gzip.deflated(entries + Tar.end)).stream()
    while try stream.next() != nil { count += 1 }
    #expect(count == 100_000)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: entries + Tar.end).entries(options: ExtractionOptions(limits: .strict))
    }
    #expect(error?.code == .limitExceeded)
  }
}
