import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Text for a log: no secret, no content, no control characters.
struct PlainTextTests {
  /// All ways to print a value.
  private func written(_ value: some Any) -> [String] {
    var dumped = ""
    dump(value, to: &dumped)
    var printed = ""
    print(value, to: &printed)
    var wrapped = ""
    dump([value], to: &wrapped)
    return [
      "\(value)", String(reflecting: value), printed, dumped, wrapped, "\([value])",
      "\(Optional(value) as Any)",
    ]
  }

  @Test(arguments: [
    ("plain über", "plain über"), ("a\u{1B}[2J\u{7}", "a\\u{1B}[2J\\u{7}"),
    ("\u{9B}\u{80}\u{9F}", "\\u{9B}\\u{80}\\u{9F}"),
    ("a\nb\r\nc\td\0", "a\\nb\\r\\nc\\td\\u{0}"), ("\u{7F}", "\\u{7F}"), ("\u{A0}", "\u{A0}"),
    (
      "\u{61C}\u{200E}\u{200F}\u{202A}\u{202E}\u{2066}\u{2069}",
      "\\u{61C}\\u{200E}\\u{200F}\\u{202A}\\u{202E}\\u{2066}\\u{2069}"
    ),
    ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"), ("\u{F780}\u{F79F}\u{F7A0}", "\\x80\\x9F\u{F7A0}"),
    ("e\u{301} \u{1F468}\u{200D}\u{1F469}", "e\u{301} \u{1F468}\u{200D}\u{1F469}"), ("a\\nb", "a\\nb"),
  ])
  func `Each character that controls something has an escape, and what is escaped stays`(
    text: String, escaped: String
  ) {
    #expect(PlainText.escaped(text).unicodeScalars.elementsEqual(escaped.unicodeScalars))
    #expect(PlainText.escaped(escaped).unicodeScalars.elementsEqual(escaped.unicodeScalars))
  }

  @Test func `An error's description has no control character, and its entry is as it was`() throws {
    let name = "a\u{1B}[2J\n\u{9B}\u{202E}b"
    let archive = Tar.archive(Tar.entry(name, [1, 2, 3]))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: archive).extract(
        options: ExtractionOptions(limits: ExtractionLimits(entryBytes: 1)))
    }
    #expect(error?.entry == name)
    let description = try "\(#require(error))"
    #expect(description.hasPrefix("entry \"a\\u{1B}[2J\\n\\u{9B}\\u{202E}b\": "))
    #expect(!description.unicodeScalars.contains { PlainText.isUnsafe($0) })
    #expect(try String(reflecting: #require(error)) == description)
  }

  @Test func `A warning's description has no control character, and its entry is as it was`() throws {
    let name = "a\u{1B}[2J\n"
    let files = try ArchiveReader(bytes: Tar.archive(Tar.entry(name, [1]), Tar.entry(name, [2]))).extract()
    let warning = try #require(files.warnings.first)
    #expect(warning.entry == name)
    #expect("\(warning)" == "entry \"a\\u{1B}[2J\\n\": a later entry of the same name replaced it")
  }

  @Test func `Printed options show no passphrase`() {
    let options = ExtractionOptions(passphrases: ["correct horse", "battery staple"], timeout: .seconds(3))
    for text in written(options) {
      #expect(!text.contains("horse") && !text.contains("battery"), "\(text)")
      #expect(text.contains("passphrases") && text.contains("2, not shown"), "\(text)")
    }
    #expect("\(options)".contains("formats: [tar, zip, 7z, cpio, ar, file]"))
    #expect("\(options)".contains("timeout: 3.0 seconds"))
  }

  @Test func `A printed reader shows where its archive is, and no byte of it`() throws {
    let reader = ArchiveReader(bytes: Array("SECRET".utf8))
    for text in written(reader) {
      #expect(!text.contains("SECRET") && !text.contains("83") && !text.contains("69"), "\(text)")
      #expect(text.contains("6 bytes in memory"), "\(text)")
    }
    let file = try MemFile(name: "inner\u{1B}.tar", bytes: Array("SECRET".utf8))
    for text in written(ArchiveReader(contentsOf: file)) {
      #expect(!text.contains("SECRET") && !text.contains("\u{1B}"), "\(text)")
    }
    #expect("\(ArchiveReader(contentsOf: file))" == "ArchiveReader(inner\\u{1B}.tar, 6 bytes in memory)")
    #expect("\(ArchiveReader(path: "x/song.zip"))" == "ArchiveReader(x/song.zip)")
    #expect("\(ArchiveReader(paths: ["a.1", "a.2"]))" == "ArchiveReader(a.1, a.2)")
    #expect("\(ArchiveReader(descriptor: .standardInput))" == "ArchiveReader(descriptor 0)")
  }
}
