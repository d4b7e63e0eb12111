import Foundation
import MemArchive
import TestSupport
import Testing

/// Odd or damaged archives that need more than a row in the table of attacks.
struct MalformedTests {
  static let hello = Bytes("hello, world\n".utf8)
  static let tar = Tar.archive(Tar.entry("hello", hello))

  @Test(arguments: [
    ("nothing", Bytes()), ("zeros", Bytes(repeating: 0, count: 4096)),
    ("an empty tar in gzip", Gzip.member(Tar.end, name: "empty.tar")),
  ])
  func `Empty input is an archive without entries`(_: String, bytes: Bytes) throws {
    for isolation in Isolation.allCases {
      #expect(try ArchiveReader(bytes: bytes).extract(options: isolation.applied()).isEmpty)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A compressed file of zeros is a file, and a disk image is not an empty tar`(_ isolation: Isolation)
    throws
  {
    let zeros = Bytes(repeating: 0, count: 40_000)
    #expect(
      try ArchiveReader(bytes: Gzip.member(zeros, name: "zeros")).extract(options: isolation.applied())[
        "zeros"]?.size == 40_000)
    #expect(
      try ArchiveReader(bytes: Gzip.member(zeros + [1], name: "x.img")).extract(options: isolation.applied())[
        "x.img"]?.size == 40_001)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: zeros + [1]).extract(options: isolation.applied())
    }
    #expect(error?.code == .unrecognizedFormat)
  }

  @Test(arguments: Isolation.allCases)
  func `Garbage after gzip is a warning`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(bytes: Gzip.member(Self.tar) + Bytes("garbage".utf8)).extract(
      options: isolation.applied())
    #expect(try files["hello"]?.text == "hello, world\n")
    #expect(files.warnings.map(\.text) == ["garbage after the end of the gzip stream was ignored"])
  }

  @Test(arguments: Isolation.allCases)
  func `Two members and zero padding are one stream`(_ isolation: Isolation) throws {
    let half = Self.tar.count / 2
    let bytes =
      Gzip.member(Bytes(Self.tar.prefix(half))) + Gzip.member(Bytes(Self.tar.dropFirst(half)))
      + Bytes(repeating: 0, count: 700)
    let files = try ArchiveReader(bytes: bytes).extract(options: isolation.applied())
    #expect(try files["hello"]?.text == "hello, world\n")
    #expect(files.warnings.isEmpty)
  }

  @Test(arguments: Isolation.allCases)
  func `A tar without its end marker is read with a warning`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(bytes: Tar.entry("a", Self.hello)).extract(options: isolation.applied())
    #expect(files.count == 1)
    #expect(files.warnings.map(\.text) == ["the end-of-archive marker is missing"])
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `Truncated anywhere, an archive is never taken for whole, and what comes is never wrong`(
    _ isolation: Isolation
  ) throws {
    let whole = Gzip.member(
      Tar.archive(Tar.entry("a", Self.hello), Tar.entry("b", Bytes(repeating: 9, count: 700))))
    for count in isolation.some(of: 1..<whole.count) {
      #expect(throws: ArchiveError.self, "cut at \(count)") {
        try ArchiveReader(bytes: Bytes(whole.prefix(count))).extract(options: isolation.applied())
      }
    }
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `A flipped byte in gzip is found or changes nothing`(_ isolation: Isolation) throws {
    let whole = Gzip.member(Tar.archive(Tar.entry("a", Self.hello)))
    var accepted = 0
    for position in isolation.some(of: whole.indices) {
      var bytes = whole
      bytes[position] ^= 0x10
      guard let files = try? ArchiveReader(bytes: bytes).extract(options: isolation.applied()) else {
        continue
      }
      accepted += 1
      // Not covered by any check: the header's time, flags and operating system, and the first block's padding bits.
      #expect(position <= 10, "byte \(position)")
      #expect(try files["a"]?.text == "hello, world\n")
    }
    #expect(accepted <= 11)
  }

  @Test(arguments: ["../x", "/x", "a/../../b", "a\\..\\b"], Isolation.allCases)
  func `A name that leads out is a key like any other, and refused on request`(
    name: String, _ isolation: Isolation
  ) throws {
    for bytes in [Tar.archive(Tar.entry(name, Self.hello)), Zip.archive(.init(name, Self.hello))] {
      let reader = ArchiveReader(bytes: bytes)
      let files = try reader.extract(options: isolation.applied())
      #expect(files.names == [name])
      #expect(files.entries.map(\.isSafeRelative) == [false])
      let error = #expect(throws: ArchiveError.self) {
        try reader.extract(options: isolation.applied(to: ExtractionOptions { $0.insecureNames = .reject }))
      }
      #expect(error?.code == .insecureName && error?.entry == name)
      let going = try reader.extract(
        options: isolation.applied(
          to: ExtractionOptions {
            $0.insecureNames = .reject
            $0.onError = .keepGoing
          }))
      #expect(going.isEmpty && going.errors.map(\.code) == [.insecureName])
    }
  }

  @Test(arguments: Isolation.allCases)
  func `An entry without a name is corrupt in every format, and costs no other`(_ isolation: Isolation)
    throws
  {
    var nameless = Tar.entry("x", Self.hello)
    nameless[0] = 0
    // The sum of the header's bytes.
    nameless.replaceSubrange(148..<156, with: Bytes("        ".utf8))
    let sum = String(nameless[..<512].reduce(0) { $0 + Int($1) }, radix: 8)
    nameless.replaceSubrange(148..<156, with: Bytes("00\(sum)\0 ".utf8.suffix(8)))
    for bytes in [
      Tar.archive(Tar.entry("a"), nameless, Tar.entry("b")),
      Zip.archive(.init("a", []), .init("", Self.hello), .init("b", [])),
      Cpio.entry("a", [], inode: 1, links: 1) + Cpio.entry("", [], inode: 2, links: 1)
        + Cpio.entry("b", [], inode: 3, links: 1) + Cpio.end,
    ] {
      let reader = ArchiveReader(bytes: bytes)
      let error = #expect(throws: ArchiveError.self) { try reader.extract(options: isolation.applied()) }
      #expect(error?.code == .corrupt)
      let going = try reader.extract(options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
      #expect(going.names == ["a", "b"] && going.errors.map(\.code) == [.corrupt])
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A flagged zip name that is not UTF-8 keeps its bytes`(_ isolation: Isolation) throws {
    var bytes = Zip.archive(.init("aXb", Self.hello, flags: 1 << 11))
    for index in bytes.indices where bytes[index] == UInt8(ascii: "X") { bytes[index] = 0xFF }
    let entries = try ArchiveReader(bytes: bytes).entries(options: isolation.applied())
    #expect(entries.map(\.rawName) == [[0x61, 0xFF, 0x62]])
  }

  @Test(arguments: Isolation.allCases)
  func `A data descriptor with a wrong CRC has no effect: the central directory decides`(
    _ isolation: Isolation
  ) throws {
    var bytes = try Fixture.bytes("zip-streamed.zip")
    let before = try ArchiveReader(bytes: bytes).extract()
    for index in bytes.indices.dropLast(8) where bytes[index...].starts(with: [0x50, 0x4B, 7, 8]) {
      bytes[index + 5] ^= 0xFF
    }
    let after = try ArchiveReader(bytes: bytes).extract(options: isolation.applied(to: ExtractionOptions()))
    #expect(after.names == before.names)
    for (name, file) in before { #expect(try after[name]?.content == file.content) }
  }

  @Test(arguments: ["zip", "tar"], Isolation.allCases)
  func `An archive that is truncated while it is read is an error`(
    format: String, _ isolation: Isolation
  ) throws {
    let body = Bytes(repeating: 7, count: 1 << 20)
    let bytes =
      format == "zip"
      ? Zip.archive(.init("a", body), .init("b", body))
      : Tar.archive(Tar.entry("a", body), Tar.entry("b", body))
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    var stream = try ArchiveReader(path: path).stream(options: isolation.applied(to: ExtractionOptions()))
    _ = try stream.next()
    #expect(truncate(path, 100) == 0)
    let error = #expect(throws: ArchiveError.self) {
      while let entry = try stream.next() { if entry.hasContent { _ = try stream.extract() } }
    }
    #expect(error?.code == .truncated)
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `A hundred thousand entries without content are that many keys`(_ isolation: Isolation) throws {
    let entries = (0..<100_000).flatMap { Tar.entry("f\($0)") }
    var count = 0
    var stream = try ArchiveReader(bytes: Gzip.deflated(entries + Tar.end)).stream(
      options: isolation.applied())
    while try stream.next() != nil { count += 1 }
    #expect(count == 100_000)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: entries + Tar.end).entries(
        options: isolation.applied(to: ExtractionOptions(limits: .strict)))
    }
    #expect(error?.code == .limitExceeded)
  }
}
