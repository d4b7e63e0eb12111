#if FastDecoders
import MemArchive
import TestSupport
import Testing

/// 7z by its header: what it says of entries, and folders that several threads decode.
struct SevenZipTests {
  private let hello = Bytes("hello, world\n".utf8)

  private func entry(
    _ isolation: Isolation, _ properties: Bytes, name: String = "a"
  ) throws -> ArchiveEntry {
    let reader = ArchiveReader(bytes: SevenZip.stored(name, hello, properties: properties))
    return try #require(reader.entries(options: isolation.applied()).first)
  }

  /// A time that all entries have, in tenths of microseconds since 1601.
  private func time(_ type: UInt8, _ value: UInt64) -> Bytes {
    SevenZip.property(type, [1, 0] + little(value))
  }

  private func attributes(_ value: UInt32) -> Bytes { SevenZip.property(0x15, [1, 0] + little(value)) }

  @Test(arguments: Isolation.allCases)
  func `Times of creation, access and change reach from 1601 to far ahead`(_ isolation: Isolation) throws {
    let entry = try entry(
      isolation, time(0x12, 0) + time(0x13, 116_444_736_000_000_000 - 15_000_000) + time(0x14, .max))
    #expect(entry.created == ArchiveEntry.Time(seconds: -11_644_473_600))
    #expect(entry.accessed == ArchiveEntry.Time(seconds: -2, nanoseconds: 500_000_000))
    #expect(entry.modified == ArchiveEntry.Time(seconds: 1_833_029_933_770, nanoseconds: 955_161_500))
  }

  @Test(arguments: Isolation.allCases)
  func `A mode is taken from the attributes only where they say that they have one`(
    _ isolation: Isolation
  ) throws {
    #expect(try entry(isolation, attributes(0x81A4_8020)).mode == 0o644)
    #expect(try entry(isolation, attributes(0x0048_0020)).mode == nil)
    #expect(try entry(isolation, attributes(0x0000_0021)).mode == 0o444)
    #expect(try entry(isolation, attributes(0xA1FF_8000)).kind == .symlink)
    #expect(try entry(isolation, attributes(0x4000_8000)).kind == .file)
  }

  @Test(arguments: ["\u{E9}", "e\u{301}", "\u{1F389}", "a\\b", "../a", "\u{FEFF}x"], Isolation.allCases)
  func `A name is what its header says, unchanged`(_ name: String, _ isolation: Isolation) throws {
    #expect(Bytes(try entry(isolation, [], name: name).rawName) == Bytes(name.utf8))
  }

  @Test(arguments: Isolation.allCases)
  func `Half of a surrogate pair stays apart from another half`(_ isolation: Isolation) throws {
    let names = try [0, 1].map { (low: UInt8) in
      let header = SevenZip.header(
        packed: [13], folders: [SevenZip.copy], sizes: [13],
        files: [5, 1] + SevenZip.property(0x11, [0, low, 0xD8, 0x78, 0, 0, 0]) + [0])
      let reader = ArchiveReader(bytes: SevenZip.archive(hello, header))
      return Bytes(try #require(reader.entries(options: isolation.applied()).first).rawName)
    }
    #expect(names == [[0xED, 0xA0, 0x80, 0x78], [0xED, 0xA0, 0x81, 0x78]])
  }

  /// Folders of one stored file each, with a checksum, of which those at `damaged` are wrong.
  private func folders(_ count: Int, size: Int = 40_000, damaged: Set<Int> = []) -> Bytes {
    let contents = (0..<count).map { Bytes(repeating: UInt8($0 % 251), count: size + $0) }
    let sizes = contents.map { UInt64($0.count) }
    let checksums = contents.enumerated().flatMap { index, content in
      little(Gzip.checksum(content) ^ (damaged.contains(index) ? 1 : 0))
    }
    return SevenZip.archive(
      Bytes(contents.joined()),
      SevenZip.header(
        packed: sizes, folders: Array(repeating: SevenZip.copy, count: count), sizes: sizes,
        contents: [8, 0x0A, 1] + checksums + [0], files: SevenZip.files((0..<count).map { "file \($0)" })))
  }

  @Test(arguments: [1, 2, 5], Isolation.allCases)
  func `Folders that several threads decode come in order, and a damaged one costs only its own files`(
    _ parallelism: Int, _ isolation: Isolation
  ) throws {
    let options = isolation.applied(
      to: ExtractionOptions {
        $0.parallelism = parallelism
        $0.onError = .keepGoing
      })
    let files = try ArchiveReader(bytes: folders(100, damaged: [0, 50, 99])).extract(options: options)
    #expect(files.names == (0..<100).filter { ![0, 50, 99].contains($0) }.map { "file \($0)" })
    #expect(files.errors.map(\.code) == [.corrupt, .corrupt, .corrupt])
    for (name, file) in files {
      let index = try #require(Int(name.dropFirst(5)))
      #expect(try file.content == Bytes(repeating: UInt8(index % 251), count: 40_000 + index))
    }
  }

  @Test(arguments: [1, 3])
  func `A reader that stops anywhere, or passes over files, leaves no thread waiting`(_ parallelism: Int)
    throws
  {
    let bytes = folders(60)
    for step in [1, 7, 13] {
      var stream = try ArchiveReader(bytes: bytes).stream(
        options: Isolation.inProcess.applied(to: ExtractionOptions { $0.parallelism = parallelism }))
      var position = 0
      while position < 40, let entry = try stream.next() {
        if position.isMultiple(of: step) { #expect(try stream.extract().size == Int(entry.size ?? -1)) }
        position += 1
      }
    }
  }

  private func archive(_ name: String) throws -> ArchiveReader {
    ArchiveReader(bytes: try Bytes(contentsOfFile: Fixture.path("odd/7z/" + name)))
  }

  @Test(
    arguments: ["aes.7z", "aes-header.7z", "aes-copy.7z", "aes-bcj2.7z", "aes-ppmd.7z"], Isolation.allCases)
  func `Of several passphrases, the right one is found`(_ name: String, _ isolation: Isolation) throws {
    for passphrases in [["secret", "b"], ["a", "secret", "b"], ["a", "b", "secret"]] {
      let options = isolation.applied(to: ExtractionOptions(passphrases: passphrases))
      #expect(try archive(name).extract(options: options)["t/hello"]?.size == 26)
    }
    let options = isolation.applied(to: ExtractionOptions(passphrases: ["a", "b"]))
    let error = #expect(throws: ArchiveError.self) { try archive(name).extract(options: options) }
    #expect(error?.code == .wrongPassphrase, "\(String(describing: error))")
  }

  @Test func `Encrypted contents are listed without a passphrase, and an encrypted header is not`() throws {
    let entries = try archive("aes.7z").entries(options: Isolation.inProcess.applied())
    #expect(entries.filter(\.isEncrypted).map(\.name).contains("t/hello"))
    let error = #expect(throws: ArchiveError.self) {
      try archive("aes-header.7z").entries(options: Isolation.inProcess.applied())
    }
    #expect(error?.code == .passphraseRequired)
  }

  @Test(arguments: [("deflate64.7z", "Deflate64"), ("swap4.7z", "Swap4"), ("py7zr-brotli.7z", "Brotli")])
  func `A coder that is not known is named`(_ name: String, _ coder: String) throws {
    let error = #expect(throws: ArchiveError.self) {
      try archive(name).extract(options: Isolation.inProcess.applied())
    }
    #expect(error?.code == .unsupportedFeature)
    #expect(error?.reason.contains(coder) == true)
  }
}
#endif
