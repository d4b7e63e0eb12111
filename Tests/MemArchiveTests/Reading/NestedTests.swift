import Foundation
import MemArchive
import TestSupport
import Testing

/// Archives inside archives, in one namespace.
struct NestedTests {
  private let body = Bytes("content".utf8)

  private var inner: Bytes { Tar.archive(Tar.entry("usr/a", body), Tar.entry("usr/b", Bytes("other".utf8))) }

  private func packed(_ entries: Bytes...) -> ArchiveReader {
    ArchiveReader(bytes: entries.flatMap { $0 } + Tar.end)
  }

  /// A tar in a tar in a tar, `levels` in all.
  private func nested(_ levels: Int) -> Bytes {
    (1..<levels).reduce(Tar.archive(Tar.entry("x", body))) { archive, _ in
      Tar.archive(Tar.entry("t", archive))
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Entries of inner archives come under the inner archive's name, which stays`(_ isolation: Isolation)
    throws
  {
    let reader = packed(Tar.entry("first", body), Tar.entry("data.tar.gz", Gzip.deflated(inner)))
    let files = try reader.extract(options: isolation.applied().nested())
    #expect(files.names == ["first", "data.tar.gz", "data.tar.gz/usr/a", "data.tar.gz/usr/b"])
    #expect(try files["data.tar.gz/usr/b"]?.text == "other")
    #expect(files.entries.map(\.name) == files.names)
    #expect(
      try reader.extract(options: isolation.applied().nested(.keep)).names == ["first", "data.tar.gz"])
    #expect(try reader.extract(options: isolation.applied()).names == ["first", "data.tar.gz"])
  }

  @Test(arguments: Isolation.allCases)
  func `Inner archives of any format and depth are read`(_ isolation: Isolation) throws {
    let zip = Zip.archive(Zip.Entry("in.tar", inner))
    let files = try packed(Tar.entry("x.zip", zip)).extract(options: isolation.applied().nested())
    #expect(files.names == ["x.zip", "x.zip/in.tar", "x.zip/in.tar/usr/a", "x.zip/in.tar/usr/b"])
  }

  @Test(arguments: Isolation.allCases)
  func `A compressed file that holds no archive stays a file`(_ isolation: Isolation) throws {
    let files = try packed(Tar.entry("man.1.gz", Gzip.deflated(body))).extract(
      options: isolation.applied().nested())
    #expect(files.names == ["man.1.gz"])
    #expect(files.errors.isEmpty)
  }

  /// Text that begins with what tells an archive or a compression.
  private static let texts = [
    "!<arch>\nis how it begins\n", "070707 is cpio's magic number\n", "070701\n070702\n070703\n",
    "070701 is that of another dialect, whose headers have no fewer than 110 bytes, as this line has, too, though none "
      + "of them is a digit\n",
    "WARC/1.0 is a format\nof lines\n", "WARC/ is how it begins: here\nand: here\n",
    "xar! cried the pirate\n",
    "LZIP is a program\n", "LRZIP too\n", "ab-lh5-and so on, a name with a method of lha inside\n",
    "MSCF is a cabinet\n", "PK is short for Phil Katz\n", "Rar! said the lion\n", "BZh said nobody\n",
    "begin 644 file\n", "#!/bin/sh\nbegin 644 file\n", "begin 644 cat\n#0V%T\nand no more of it\n",
    "begin-base64 644 cat\nQ2F0\n", "begin 123;\nwrite\nend.\n", "begin 100 tests a day\nand stop\n",
    "GRZip\n", "7z\n", "ustar\n",
  ]

  @Test(arguments: Isolation.allCases)
  func `A text that begins like an archive is a text`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions(formats: .all))
    let names = Self.texts.indices.map { "\($0).txt" }
    let reader = ArchiveReader(
      bytes: zip(names, Self.texts).flatMap { Tar.entry($0, Bytes($1.utf8)) } + Tar.end)
    let files = try reader.extract(options: options.nested())
    #expect(files.names == names)
    let tree = try reader.tree(options: options.nested())
    for (name, text) in zip(names, Self.texts) {
      #expect(try files[name]?.text == text)
      #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == Bytes(text.utf8))
      let lone = try ArchiveReader(bytes: Gzip.deflated(Bytes(text.utf8))).extract(options: options)
      #expect(lone.names == ["data"], "\(text)")
      #expect(try lone["data"]?.text == text)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Bytes that begin like .Z and lzma, and hold no archive, are a file`(_ isolation: Isolation) throws {
    let lzma: Bytes = [0x5D, 0, 0, 0x80, 0] + Bytes(repeating: 0xFF, count: 8) + [0]
    let contents: [Bytes] = [
      [0x1F, 0x9D, 0x90] + Bytes("not a code among them".utf8), [0x1F, 0x9D], lzma, lzma + Bytes("cut".utf8),
    ]
    let names = contents.indices.map(String.init)
    let reader = ArchiveReader(
      bytes: zip(names, contents).flatMap { Tar.entry($0, $1) } + Tar.end)
    let files = try reader.extract(options: isolation.applied().nested())
    #expect(files.names == names)
    #expect(files.errors.isEmpty)
  }

  @Test(arguments: Isolation.allCases)
  func `An archive below two layers that are only guessed is found`(_ isolation: Isolation) throws {
    let text = Data(try Fixture.bytes("tree.tar.Z"))
      .base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
    let encoded = Bytes("begin-base64 644 tree.tar.Z\n\(text)\n====\n".utf8)
    let files = try packed(Tar.entry("tree.uu", encoded)).extract(
      options: isolation.applied().nested())
    #expect(files.names.contains("tree.uu/tree/hello.txt"), "\(files.names)")
  }

  @Test(arguments: Isolation.allCases)
  func `A format that is not allowed stays a file`(_ isolation: Isolation) throws {
    let rar = Bytes([0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x01, 0x00]) + body
    #expect(
      try packed(Tar.entry("a.rar", rar)).extract(options: isolation.applied().nested()).names == [
        "a.rar"
      ])
  }

  @Test(arguments: Isolation.allCases)
  func `Selections are applied to the long names`(_ isolation: Isolation) throws {
    let reader = packed(Tar.entry("usr/a", body), Tar.entry("d.tar", inner), Tar.entry("e.tar", inner))
    #expect(
      try reader.extract(.names(["d.tar/usr/a"]), options: isolation.applied().nested()).names == [
        "d.tar/usr/a"
      ])
    #expect(
      try reader.extract(.glob("*.tar/*a"), options: isolation.applied().nested()).names == [
        "d.tar/usr/a", "e.tar/usr/a",
      ])
    let files = try reader.extract(
      .matching { $0.name.hasPrefix("e.tar/") }, options: isolation.applied().nested())
    #expect(files.names == ["e.tar/usr/a", "e.tar/usr/b"])
  }

  @Test(arguments: Isolation.allCases)
  func `A long name that does not exist is no such entry`(_ isolation: Isolation) throws {
    let reader = packed(Tar.entry("d.tar", inner))
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(.names(["d.tar/usr/c"]), options: isolation.applied().nested())
    }
    #expect(error?.code == .noSuchEntry)
    #expect(error?.entry == "d.tar/usr/c")
  }

  @Test(arguments: Isolation.allCases)
  func `The limits apply to everything together`(_ isolation: Isolation) throws {
    let reader = packed(Tar.entry("d.tar", inner), Tar.entry("e.tar", inner))
    var options = isolation.applied(
      to: ExtractionOptions(limits: ExtractionLimits(totalBytes: Int64(inner.count * 2 + 12))))
    let error = #expect(throws: ArchiveError.self) { try reader.extract(options: options.nested()) }
    #expect(error?.code == .limitExceeded)
    options.limits = ExtractionLimits(totalBytes: Int64(inner.count * 2 + 24), entries: 6)
    #expect(try reader.extract(options: options.nested()).count == 6)
    options.limits.entries = 5
    let tooMany = #expect(throws: ArchiveError.self) { try reader.extract(options: options.nested()) }
    #expect(tooMany?.code == .limitExceeded)
  }

  @Test(arguments: Isolation.allCases)
  func `Archives are nested as deeply as the limit says, and no deeper`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(bytes: nested(4)).extract(options: isolation.applied().nested())
    #expect(files.names == ["t", "t/t", "t/t/t", "t/t/t/x"])
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: nested(5)).extract(options: isolation.applied().nested())
    }
    #expect(error?.code == .tooManyLayers)
    #expect(error?.entry == "t/t/t/t")
  }

  @Test(arguments: Isolation.allCases)
  func `A damaged inner archive is named, and skipped under keepGoing`(_ isolation: Isolation) throws {
    let broken = Zip.archive(Zip.Entry("bad", body, crc: 1), Zip.Entry("good", body))
    let reader = packed(Tar.entry("in.zip", broken), Tar.entry("last", body))
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(options: isolation.applied().nested())
    }
    #expect(error?.code == .corrupt)
    #expect(error?.entry == "in.zip/bad")
    let files = try reader.extract(
      options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)).nested())
    #expect(files.names == ["in.zip", "in.zip/good", "last"])
    #expect(files.error(for: "in.zip/bad")?.code == .corrupt)
  }

  @Test(arguments: Isolation.allCases)
  func `The dot in front of a tar's names is not part of a long name`(_ isolation: Isolation) throws {
    let inner = Tar.archive(Tar.entry("./usr/a", body), Tar.entry("./", type: "5"))
    let files = try packed(Tar.entry("d.tar", inner)).extract(options: isolation.applied().nested())
    #expect(files.names == ["d.tar", "d.tar/usr/a"])
    #expect(files.entries.map(\.name) == ["d.tar", "d.tar/usr/a", "d.tar/./"])
    #expect(
      try packed(Tar.entry("d.tar", inner)).extract(
        .names(["d.tar/usr/a"]), options: isolation.applied().nested()
      ).count == 1)
  }

  @Test(arguments: Isolation.allCases)
  func `Two entries with one long name are duplicates`(_ isolation: Isolation) throws {
    let inner = Tar.archive(Tar.entry("./a", Bytes("inner".utf8)))
    let reader = packed(Tar.entry("d.tar/a", body), Tar.entry("d.tar", inner))
    let last = try reader.extract(options: isolation.applied().nested())
    #expect(last.names == ["d.tar/a", "d.tar"])
    #expect(try last["d.tar/a"]?.text == "inner")
    #expect(last.warnings.map(\.entry) == ["d.tar/a"])
    let first = try reader.extract(
      options: isolation.applied(to: ExtractionOptions { $0.duplicates = .first }).nested())
    #expect(try first["d.tar/a"]?.text == "content")
    #expect(first.warnings.count == 1)
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(
        options: isolation.applied(to: ExtractionOptions { $0.duplicates = .reject }).nested())
    }
    #expect(error?.code == .duplicateEntry)
  }

  @Test(arguments: Isolation.allCases)
  func `The async form gives the same`(_ isolation: Isolation) async throws {
    let reader = packed(Tar.entry("d.tar", inner))
    let files = try await reader.extract(options: isolation.applied().nested())
    #expect(files.names == ["d.tar", "d.tar/usr/a", "d.tar/usr/b"])
  }
}
