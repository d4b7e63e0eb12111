import TestSupport
import Testing

struct CatTests {
  @Test func `An entry's bytes are written as they are`() throws {
    try Program.expect("cat", "tar-all-kinds.tar", "all/file", gives: .done(Content.hello.bytes))
    try Program.expect("cat", "zip-deflated.zip", "tree/poem.txt", gives: .done(Content.poem.bytes))
    try Program.expect("cat", "zip-deflated.zip", "tree/empty", gives: .done())
  }

  @Test func `Several entries are written in the archive's order`() throws {
    let outcome = try Program.run("cat", "zip-deflated.zip", "tree/run.sh", "tree/hello.txt")
    #expect(outcome == .done(Content.hello.bytes + Content.script.bytes))
  }

  @Test func `Both entries with the same name are written`() throws {
    let outcome = try Program.run("cat", "tar-duplicate-name.tar", "twice.txt")
    #expect(outcome == .done(Content.hello.bytes + Content.poem.bytes))
  }

  @Test(
    arguments: [
      ("tar-all-kinds.tar", "all/symlink", .hello), ("tar-all-kinds.tar", "all/hardlink", .hello),
      ("zip-deflated.zip", "tree/link", .hello), ("7z-lzma2.7z", "tree/link", .hello),
      ("cpio-newc-hardlink.cpio", "one", .poem), ("cpio-newc-hardlink.cpio", "three", .poem),
      ("cpio-odc-hardlink.cpio", "two", .poem), ("tar-pax-hardlink-body.tar", "second.txt", .hello),
    ] as [(ByteString, ByteString, Content)])
  func `A link is written as the content it leads to`(archive: ByteString, name: ByteString, content: Content)
    throws
  {
    try Program.expect("cat", archive, name, gives: .done(content.bytes))
  }

  @Test func `A file whose content comes with its last name is not written as nothing`() throws {
    try Program.expect("cat", "cpio-newc-hardlink.cpio", "two", gives: .done(Content.poem.bytes))
    try Program.expect("cat", "cpio-newc-hardlink.cpio", "two", "three", gives: .done(Content.poem.bytes * 2))
  }

  @Test func `A link and its target are written both`() throws {
    let outcome = try Program.run("cat", "tar-all-kinds.tar", "all/symlink", "all/file")
    #expect(outcome == .done(Content.hello.bytes * 2))
  }

  @Test func `Three MiB are the same three MiB that another reader unpacks`() throws {
    let script: ByteString = """
      import sys, zipfile
      sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
      """
    let expected = try Command("python3", "-c", script, "zip-3mib.zip", "big.txt").run()
    #expect(expected.output.values.count == 3_148_800)
    try Program.expect("cat", "zip-3mib.zip", "big.txt", gives: expected)
  }

  @Test func `Every byte value passes`() throws {
    let body = ByteString(0...255) * 100
    let archive = ByteString.tar(ByteString.entry("binary", body))
    try Program.expect("cat", "-", "binary", input: .pipe(archive), gives: .done(body))
  }

  @Test func `A name is found only by its exact bytes`() throws {
    let name = "caf" + [0xE9] + ".txt"
    try Program.expect("cat", "tar-latin1-name.tar", name, gives: .done(Content.hello.bytes))
    #expect(try Program.run("cat", "tar-latin1-name.tar", "caf\u{F7E9}.txt").end == .exit(2))
    try Program.expect("cat", "tar-odd-names.tar", "new\nline", gives: .done(Content.hello.bytes))
  }

  @Test func `An unknown name exits 2 with similar ones`() throws {
    let outcome = try Program.run("cat", "tar-all-kinds.tar", "all/file", "all/setui")
    let says: ByteString =
      "memarchive: tar-all-kinds.tar: there is no entry \"all/setui\". Did you mean \"all/setuid\"?\n"
    #expect(outcome == .failed(2, output: Content.hello.bytes, errors: says))
  }

  @Test func `A directory without its slash is called one`() throws {
    let outcome = try Program.run("cat", "tar-all-kinds.tar", "all")
    let says: ByteString =
      "memarchive: tar-all-kinds.tar: there is no entry \"all\". \"all/\" is a directory.\n"
    #expect(outcome == .failed(2, errors: says))
  }

  @Test(arguments: ["all/", "all/fifo", "all/block"])
  func `An entry without content is refused with its kind and exit 2`(name: String) throws {
    let outcome = try Program.run("cat", "tar-all-kinds.tar", ByteString(name.utf8))
    let kind = name == "all/" ? "directory" : String(name.dropFirst(4))
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    let start = "memarchive: tar-all-kinds.tar: entry \"\(name)\": a \(kind) has no content."
    #expect(outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test func `A link that leads to nothing does not take others along`() throws {
    let archive = ByteString.tar(
      ByteString.entry("file", Content.hello.bytes), ByteString.entry("good", type: "2", link: "file"),
      ByteString.entry("bad", type: "2", link: "nothing"))
    let outcome = try Program.run(
      "cat", "--keep-going", "links.tar", "bad", "good", beside: ["links.tar": archive])
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == Content.hello.bytes)
    let start = "memarchive: links.tar: entry \"bad\": the link leads to no file"
    #expect(outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }
}
