import TestSupport
import Testing

import MemArchive

/// Zip by its central directory, and zips left to libarchive because their headers contradict each other.
struct ZipReaderTests {
  private let hello = Bytes("hello".utf8)

  /// An archive's content as read by one of the two engines.
  private struct Reading: Equatable {
    var entries: [String] = []
    var error: ArchiveError.Code?

    init(_ bytes: Bytes, _ engine: ExtractionContext.Hooks.Engine, _ isolation: Isolation) {
      let context = ExtractionContext(
        isolation.applied(to: ExtractionOptions(passphrases: ["secret", "wrong"])),
        hooks: .init(engine: engine))
      do {
        var stream = try ArchiveReader(bytes: bytes).stream(in: context)
        while let entry = try stream.next() {
          let content = entry.hasContent ? try sha256(stream.extract()) : ""
          entries.append("\(entry.kind) \(entry.name) \(entry.link ?? "") \(content)")
        }
      } catch {
        self.error = (error as? ArchiveError)?.code
      }
    }
  }

  @Test(
    arguments: Fixture.all.filter {
      $0.file.hasSuffix(".zip") && !$0.file.contains("nfc") && !$0.file.contains("backslash")
    }, Isolation.allCases)
  func `Both engines find the same in a zip`(_ fixture: Fixture, _ isolation: Isolation) throws {
    let bytes = try fixture.bytes
    #expect(Reading(bytes, .own, isolation) == Reading(bytes, .libarchive, isolation))
  }

  @Test(arguments: Isolation.allCases)
  func `Names that differ in the two headers are both reported, and libarchive reads`(_ isolation: Isolation)
    throws
  {
    let files = try ArchiveReader(
      bytes: Zip.archive(.init("central", hello, localName: "local"), .init("b", hello))
    ).extract(options: isolation.applied())
    #expect(files.names == ["local", "b"])
    #expect(files.warnings.count == 1)
    #expect(files.warnings.first?.text.contains("\"central\" in its directory, and \"local\"") ?? false)
  }

  @Test(arguments: Isolation.allCases)
  func `A NUL in a name refuses that entry alone`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: Zip.archive(.init("a\0b", hello), .init("b", hello)))
    let error = #expect(throws: ArchiveError.self) { try reader.extract(options: isolation.applied()) }
    #expect(error?.code == .corrupt && error?.entry == "a\0b")
    let files = try reader.extract(options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
    #expect(files.names == ["b"] && files.errors.count == 1)
  }

  @Test(arguments: Isolation.allCases)
  func `A wrong count in the end record is reported`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(
      bytes: Zip.archive(.init("a", hello), .init("b", hello), counting: 1)
    ).extract(options: isolation.applied())
    #expect(files.names == ["a", "b"])
    #expect(files.warnings.map(\.text) == ["the zip has 2 entries, and its end counts 1"])
  }

  @Test(arguments: Isolation.allCases)
  func `The comment on an entry is returned`(_ isolation: Isolation) throws {
    let entries = try ArchiveReader(
      bytes: Zip.archive(.init("a", hello, comment: "what it is"), .init("b", hello))
    ).entries(options: isolation.applied())
    #expect(entries.map(\.comment) == ["what it is", nil])
    #expect(
      try ArchiveReader(bytes: Fixture.bytes("zip-comment.zip")).stream(options: isolation.applied()).comment
        != nil)
    #expect(
      try ArchiveReader(bytes: Fixture.bytes("zip-stored.zip")).stream(options: isolation.applied()).comment
        == nil)
    let gzip = try ArchiveReader(bytes: Gzip.member(hello, name: "a", comment: "by hand")).entries(
      options: isolation.applied())
    #expect(gzip.map(\.comment) == ["by hand"])
  }

  @Test(arguments: Isolation.allCases)
  func `A zip64 is found after 100 bytes too`(_ isolation: Isolation) throws {
    let bytes = try Fixture.bytes("zip-zip64.zip")
    let files = try ArchiveReader(bytes: Bytes(repeating: 0x41, count: 100) + bytes).extract(
      options: isolation.applied())
    #expect(files.names == ["poem.txt", "hello.txt"])
    #expect(files.warnings.isEmpty)
  }

  @Test(arguments: Isolation.allCases)
  func `Attributes do not discard content`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(
      bytes: Zip.archive(
        .init("fifo", hello, attributes: 0o010600 << 16),
        .init("directory", hello, attributes: 0o040755 << 16))
    ).extract(options: isolation.applied())
    #expect(files.map(\.file.size) == [5, 5])
  }

  @Test(arguments: Isolation.allCases)
  func `A symbolic link's target is its content, and must have the right checksum`(_ isolation: Isolation)
    throws
  {
    let link = Zip.Entry("link", Bytes("a".utf8), attributes: 0o120777 << 16)
    let files = try ArchiveReader(bytes: Zip.archive(.init("a", hello), link)).extract(
      options: isolation.applied())
    #expect(files["link"]?.size == 5)
    let damaged = Zip.Entry("link", Bytes("a".utf8), crc: 1, attributes: 0o120777 << 16)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: Zip.archive(.init("a", hello), damaged)).extract(options: isolation.applied())
    }
    #expect(error?.code == .corrupt && error?.entry == "link")
  }

  @Test(arguments: Isolation.allCases)
  func `A wrong byte in stored content is detected`(_ isolation: Isolation) throws {
    var bytes = Zip.archive(.init("a", hello), .init("b", hello))
    bytes[31] ^= 1
    let files = try ArchiveReader(bytes: bytes).extract(
      options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
    #expect(files.names == ["b"])
    #expect(files.error(for: "a")?.code == .corrupt)
  }

  @Test(arguments: Isolation.allCases)
  func `Two entries with the same content are left to libarchive, with a warning`(_ isolation: Isolation)
    throws
  {
    var bytes = Zip.archive(.init("a", hello), .init("a", hello))
    // The second central header's offset, in the last four bytes before its name.
    let end = bytes.count - 22
    bytes.replaceSubrange((end - 5)..<(end - 1), with: [0, 0, 0, 0])
    let files = try ArchiveReader(bytes: bytes).extract(options: isolation.applied())
    #expect(files.names == ["a"])
    #expect(files.warnings.contains { $0.text == "the zip has entries that overlap" })
  }

  @Test(arguments: Isolation.allCases)
  func `Two thousand entries over one body yield no more than that body`(_ isolation: Isolation) throws {
    let one = Zip.archive(.init("a", Bytes(repeating: 1, count: 10_000)))
    let local = one.count - 22 - 47
    let record = Bytes(one[local..<local + 47])
    let directory = (0..<2000).flatMap { _ in record }
    var end = Bytes(one.suffix(22))
    for (offset, value) in [(8, 2000), (10, 2000), (12, directory.count)] {
      end[offset] = UInt8(value & 0xFF)
      end[offset + 1] = UInt8(value >> 8 & 0xFF)
      if offset == 12 { end[14] = UInt8(value >> 16) }
    }
    let reader = ArchiveReader(bytes: Bytes(one[..<local]) + directory + end)
    let files = try reader.extract(
      options: isolation.applied(to: ExtractionOptions(limits: Limits(totalBytes: 20_000))))
    #expect(files.names == ["a"])
    #expect(files.warnings.contains { $0.text == "the zip has entries that overlap" })
  }
}
