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

  /// An archive whose second entry of 5 bytes is the first one's too.
  private func overlapping(_ name: String, _ other: String) -> Bytes {
    var bytes = Zip.archive(.init(name, hello), .init(other, hello))
    // The second central header's offset, in the last four bytes before its name.
    let end = bytes.count - 22
    bytes.replaceSubrange((end - 5)..<(end - 1), with: [0, 0, 0, 0])
    return bytes
  }

  @Test(arguments: [("a", "a"), ("a", "b")], Isolation.allCases)
  func `Two entries with the same content are refused, unless they are allowed`(
    _ names: (String, String), _ isolation: Isolation
  ) throws {
    let reader = ArchiveReader(bytes: overlapping(names.0, names.1))
    let error = #expect(throws: ArchiveError.self) { try reader.extract(options: isolation.applied()) }
    #expect(error?.code == .corrupt && error?.entry == "a")
    #expect(error?.advice == .readOverlappingEntries)
    var stream = try reader.stream(
      options: isolation.applied(to: ExtractionOptions { $0.overlappingEntries = .read }))
    var found: [String] = []
    while let entry = try stream.next() {
      found.append(entry.name)
      #expect(try stream.extract().content == hello)
    }
    #expect(found == [names.0, names.1])
  }

  @Test(arguments: Isolation.allCases)
  func `Of entries that overlap, what lies over no other is read when errors do not stop`(
    _ isolation: Isolation
  ) throws {
    // "a" quotes the header and content of "b", and "c" is by itself.
    let inner =
      Zip.localHeader("b", method: 0, checksum: Gzip.checksum(hello), compressed: 5, size: 5) + hello
    let last = Zip.localHeader("c", method: 0, checksum: Gzip.checksum(hello), compressed: 5, size: 5) + hello
    let checksum = Gzip.checksum(inner)
    let body =
      Zip.localHeader("a", method: 0, checksum: checksum, compressed: inner.count, size: inner.count) + inner
      + last
    func central(_ name: String, _ content: Bytes, _ offset: Int) -> Bytes {
      Zip.centralHeader(
        name, method: 0, checksum: Gzip.checksum(content), compressed: content.count, size: content.count,
        offset: offset)
    }
    let directory =
      central("a", inner, 0) + central("b", hello, 31) + central("c", hello, 31 + inner.count)
    let reader = ArchiveReader(
      bytes: body + directory + Zip.end(count: 3, size: directory.count, offset: body.count))
    let files = try reader.extract(
      options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
    #expect(files.names == ["b", "c"])
    #expect(files.error(for: "a")?.code == .corrupt)
    let all = try reader.extract(
      options: isolation.applied(to: ExtractionOptions { $0.overlappingEntries = .read }))
    #expect(all.names == ["a", "b", "c"])
  }

  @Test(arguments: Isolation.allCases)
  func `A NUL in a name refuses that entry where libarchive reads the zip too`(_ isolation: Isolation) throws
  {
    // Two names for "b" leave the zip to libarchive, which would cut the other name.
    for name in ["a\0b", "d/a\0", "x\\y\0z"] {
      let bytes = Zip.archive(
        .init(name, hello), .init("b", hello, localName: "c"), .init("d", hello))
      let files = try ArchiveReader(bytes: bytes).extract(
        options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
      #expect(files.names == ["c", "d"])
      #expect(files.errors.map(\.code) == [.corrupt])
    }
  }

  @Test(arguments: Isolation.allCases)
  func `An entry without what it needs costs no other`(_ isolation: Isolation) throws {
    for name in [
      "zip64-missing.zip", "zip64-short.zip", "unicode-path-short.zip", "no-name.zip", "strong.zip",
    ] {
      let files = try ArchiveReader(bytes: Fixture.bytes("odd/zip/" + name)).extract(
        options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
      #expect(files.names == ["b"], "\(name)")
      #expect(files.errors.count == 1 && files.warnings.isEmpty, "\(name)")
    }
    for name in ["2", "4", "5"] {
      let files = try ArchiveReader(bytes: Fixture.bytes("odd/zip/zip64_magic_in_filename_\(name).zip"))
        .extract(
          options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
      #expect(files.errors.allSatisfy { $0.code == .corrupt } && files.warnings.isEmpty, "\(name)")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A method that is not decoded is named, and nobody is sent to fetch the archive again`(
    _ isolation: Isolation
  ) throws {
    let names = [
      "method-1.zip": "Shrink", "method-6.zip": "Implode", "method-77.zip": "method 77",
      "deflate64.zip": "Deflate64", "aes-lzma.zip": "LZMA", "patched.zip": "patched", "strong.zip": "strong",
      "split.zip": "part 1 of a split zip", "directory-encrypted.zip": "central directory is encrypted",
    ]
    for (name, word) in names {
      let error = #expect(throws: ArchiveError.self, "\(name)") {
        try ArchiveReader(bytes: Fixture.bytes("odd/zip/" + name)).extract(
          options: isolation.applied(to: ExtractionOptions(passphrases: ["secret"])))
      }
      #expect(error?.code == .unsupportedFeature && error?.reason.contains(word) == true, "\(name)")
      #expect(error?.advice.description.lowercased().contains("fetch") == false, "\(name)")
    }
  }
}
