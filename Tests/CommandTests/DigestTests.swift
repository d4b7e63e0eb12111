import TestSupport
import Testing

struct DigestTests {
  @Test func `Regular entries and hard links have a line each, in the archive's order`() throws {
    let expected =
      Content.hello.line("all/file") + Content.hello.line("all/hardlink") + Content.script.line("all/setuid")
      + Content.poem.line("all/contiguous") + Content.hello.line("all/last")
    try Program.expect("digest", "tar-all-kinds.tar", gives: .done(expected))
  }

  @Test func `Two entries with the same name have a line each`() throws {
    let expected =
      Content.hello.line("twice.txt") + Content.script.line("between.txt") + Content.poem.line("twice.txt")
    try Program.expect("digest", "tar-duplicate-name.tar", gives: .done(expected))
  }

  @Test(
    arguments: [
      ("cpio-newc-hardlink.cpio", ["between", "two", "one", "three"] as [ByteString]),
      ("cpio-odc-hardlink.cpio", ["one", "between", "two", "three"]),
    ])
  func `Every name of a file has its content's digest`(archive: String, names: [ByteString]) throws {
    let expected = names.reduce("") { $0 + ($1 == "between" ? Content.script : .poem).line($1) }
    try Program.expect("digest", ByteString(archive.utf8), gives: .done(expected))
  }

  @Test func `The line of an escaped name begins with a backslash`() throws {
    let names: [ByteString] = [" space ", "tab\t", "\u{1B}[31mred", "-rf", "quote'\""]
    let expected = names.reduce(
      "\\" + Content.hello.line("new\\nline") + "\\" + Content.hello.line("back\\\\slash")
    ) { $0 + Content.hello.line($1) }
    try Program.expect("digest", "tar-odd-names.tar", gives: .done(expected))
  }

  @Test func `A carriage return in a name is escaped as well`() throws {
    let archive = ByteString.tar(ByteString.entry("a\rb", Content.hello.bytes))
    try Program.expect("digest", "-", input: .pipe(archive), gives: .done("\\" + Content.hello.line("a\\rb")))
  }

  @Test func `With names, only their entries have lines, still in the archive's order`() throws {
    let expected = Content.hello.line("all/file") + Content.hello.line("all/last")
    try Program.expect("digest", "tar-all-kinds.tar", "all/last", "all/file", gives: .done(expected))
  }

  @Test(
    arguments: [
      ("tar-all-kinds.tar", "all/hardlink", Content.hello), ("cpio-newc-hardlink.cpio", "two", .poem),
      ("cpio-newc-hardlink.cpio", "one", .poem), ("cpio-newc-hardlink.cpio", "three", .poem),
      ("tar-pax-hardlink-body.tar", "second.txt", .hello),
    ] as [(ByteString, ByteString, Content)])
  func `A hard link is digested without its target being named`(
    archive: ByteString, name: ByteString, content: Content
  ) throws {
    try Program.expect("digest", archive, name, gives: .done(content.line(name)))
  }

  @Test func `A name given as bytes that are not UTF-8 is found`() throws {
    let name = "caf" + [0xE9] + ".txt"
    try Program.expect("digest", "tar-latin1-name.tar", name, gives: .done(Content.hello.line(name)))
  }

  @Test func `Unknown names exit 2 with similar ones`() throws {
    let outcome = try Program.run(
      "digest", "tar-all-kinds.tar", "all/fil", "all/last", "nowhere-near-anything")
    #expect(
      outcome
        == .failed(
          2, output: Content.hello.line("all/last"),
          errors: """
            memarchive: tar-all-kinds.tar: there is no entry "all/fil". Did you mean "all/file"?
            memarchive: tar-all-kinds.tar: there is no entry "nowhere-near-anything".

            """))
  }

  @Test func `A name without content is refused by archive, entry and kind, with exit 2`() throws {
    let outcome = try Program.run("digest", "tar-all-kinds.tar", "all/fifo")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    let start = "memarchive: tar-all-kinds.tar: entry \"all/fifo\""
    #expect(outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
    #expect(outcome.errors.text.contains("fifo has no "), "\(outcome.errors)")
  }

  @Test func `With --keep-going the entries after one without content are digested`() throws {
    let outcome = try Program.run("digest", "--keep-going", "tar-all-kinds.tar", "all/", "all/last")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == Content.hello.line("all/last"))
  }

  @Test func `--json has the name, the kind, the size and the digest of each`() throws {
    let outcome = try Program.run("digest", "--json", "cpio-newc-hardlink.cpio")
    let poem = "\"size\":1480,\"sha256\":\"\(Content.poem.sha256.text)\""
    let expected = try JSONLines(
      """
      {"name":"between","kind":"file","size":19,"sha256":"\(Content.script.sha256.text)"}
      {"name":"two","kind":"file",\(poem)}
      {"name":"one","kind":"hardlink",\(poem)}
      {"name":"three","kind":"hardlink",\(poem)}

      """)
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    #expect(try JSONLines(outcome.output) == expected)
  }

  @Test func `--json has the bytes of a name in base64 if they are not UTF-8`() throws {
    let outcome = try Program.run("digest", "--json", "tar-latin1-name.tar")
    let (hello, script) = (Content.hello.sha256.text, Content.script.sha256.text)
    let expected = try JSONLines(
      """
      {"name":"caf\u{F7E9}.txt","raw":"Y2Fm6S50eHQ=","kind":"file","size":21,"sha256":"\(hello)"}
      {"name":"cut-\u{F7E2}\u{F782}","raw":"Y3V0LeKC","kind":"file","size":19,"sha256":"\(script)"}

      """)
    #expect(try JSONLines(outcome.output) == expected)
  }
}
