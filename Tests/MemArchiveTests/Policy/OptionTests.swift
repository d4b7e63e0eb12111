import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Options: formats, errors, encodings, further limits.
struct OptionTests {
  private let body = Bytes("content".utf8)

  @Test(arguments: Isolation.allCases)
  func `Intact entries are returned, with the errors by name`(_ isolation: Isolation) throws {
    let zip = Zip.archive(.init("a", body), .init("bad", body, crc: 1), .init("c", body))
    let files = try ArchiveReader(bytes: zip).extract(
      options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
    #expect(files.names == ["a", "c"])
    #expect(files.errors.map(\.code) == [.corrupt])
    #expect(files.error(for: "bad")?.code == .corrupt)
    #expect(files.error(for: "a") == nil)
    let cut = Bytes((Tar.entry("a", body) + Tar.entry("b", Bytes(repeating: 1, count: 5000))).dropLast(2000))
    let rest = try ArchiveReader(bytes: cut).extract(
      options: isolation.applied(to: ExtractionOptions(onError: .keepGoing)))
    #expect(rest.names == ["a"])
    #expect(rest.error(for: "b")?.code == .truncated)
  }

  @Test(arguments: Isolation.allCases)
  func `ExtractionLimits still throw`(_ isolation: Isolation) {
    let options = isolation.applied(
      to: ExtractionOptions(limits: ExtractionLimits(entryBytes: 3), onError: .keepGoing))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: Tar.archive(Tar.entry("a", body))).extract(options: options)
    }
    #expect(error?.code == .limitExceeded)
  }

  @Test(arguments: Isolation.allCases)
  func `A format that is not allowed is named`(_ isolation: Isolation) throws {
    let tar = Tar.archive(Tar.entry("a", body))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: tar).extract(options: isolation.applied(to: ExtractionOptions(formats: .ar)))
    }
    #expect(error?.code == .unsupportedFormat)
    #expect(error?.reason == "the format tar is not among the allowed formats")
    for (magic, name) in [
      ("Rar!\u{1A}\u{7}\0", "rar4"), ("Rar!\u{1A}\u{7}\u{1}\0", "rar5"), ("MSCF\0\0\0\0", "cab"),
      ("WARC/1.0\r\n", "warc"),
    ] {
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: Bytes(magic.utf8) + Bytes(repeating: 0, count: 600)).extract(
          options: isolation.applied())
      }
      #expect(error?.reason.contains("format \(name) is not") == true)
    }
    let lone = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: Gzip.member(body)).extract(options: ExtractionOptions(formats: .tar))
    }
    #expect(lone?.reason.hasPrefix("the format file (a lone compressed file) is not") == true)
  }

  @Test func `Each format has a name of its own, and formats can be parsed from names`() {
    for bit in 0..<Int.bitWidth where ArchiveFormats.all.rawValue & 1 << bit != 0 {
      let format = ArchiveFormats(rawValue: 1 << bit)
      #expect(!"\(format)".isEmpty && ArchiveFormats("\(format)") == format)
      #expect(ArchiveFormats.names.contains("\(format)"))
    }
    for formats in [[], .tar, .standard, .all, [.rar, .warc]] as [ArchiveFormats] {
      #expect(ArchiveFormats("\(formats)") == formats)
    }
    #expect(ArchiveFormats("rar") == [.rar, .rar5] && ArchiveFormats("TAR,Zip") == [.tar, .zip])
    #expect(ArchiveFormats("all") == .all && ArchiveFormats("standard, warc") == [.standard, .warc])
    for name in ["lone file", "iso9660", "tar zip", "tar;zip"] { #expect(ArchiveFormats(name) == nil) }
  }

  @Test(arguments: Isolation.allCases)
  func `A file that is valid in two formats is read in the one that is pinned`(_ isolation: Isolation) throws
  {
    let polyglot = Tar.archive(Tar.entry("in-tar", body)) + Zip.archive(.init("in-zip", body))
    #expect(try ArchiveReader(bytes: polyglot).extract(options: isolation.applied()).names == ["in-tar"])
    let pinned = try ArchiveReader(bytes: polyglot).extract(
      options: isolation.applied(to: ExtractionOptions(formats: .zip)))
    #expect(pinned.names == ["in-zip"])
  }

  @Test(arguments: Isolation.allCases)
  func `Names in an old character set are decoded, and their bytes are kept`(_ isolation: Isolation) throws {
    let name: Bytes = [0x66, 0x81, 0x72]  // "für" in CP437
    var zip = Zip.archive(.init("fxr", body))
    for index in zip.indices.dropLast(2) where zip[index...].starts(with: Bytes("fxr".utf8)) {
      zip[index + 1] = 0x81
    }
    #expect(try ArchiveReader(bytes: zip).extract(options: isolation.applied()).names == ["f\u{F781}r"])
    let files = try ArchiveReader(bytes: zip).extract(
      options: isolation.applied(to: ExtractionOptions { $0.encoding = "CP437" }))
    #expect(files.names == ["für"])
    #expect(files.entries.first?.rawName == name)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: zip).extract(
        options: isolation.applied(to: ExtractionOptions { $0.encoding = "no such set" }))
    }
    #expect(error?.code == .unsupportedFeature)
    #expect(error?.errno == .invalidArgument)
  }

  @Test(arguments: Isolation.allCases)
  func `Names and proportions have limits`(_ isolation: Isolation) throws {
    let named = Tar.archive(Tar.entry(String(repeating: "n", count: 90), body))
    let long = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: named).extract(
        options: isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(nameBytes: 80))))
    }
    #expect(long?.reason.contains("nameBytes = 80") == true)
    let bomb = Gzip.deflated(Bytes(repeating: 0, count: 20 << 20))
    func unpack(_ ratio: Double) throws -> Int? {
      try ArchiveReader(bytes: bomb).extract(
        options: isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(ratio: ratio)))
      ).first?
      .file.size
    }
    #expect(try unpack(2000) == 20 << 20)
    let ratio = #expect(throws: ArchiveError.self) { try unpack(100) }
    #expect(ratio?.reason.contains("ratio = 100") == true)
  }
}
