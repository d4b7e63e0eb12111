import Testing

/// Intact entries are shown, then the error is reported, and the exit status is 1.
struct DamageTests {
  @Test func `Nothing after an entry with a wrong checksum is digested`() throws {
    let outcome = try Program.run("digest", "bad.zip", beside: ["bad.zip": Damage.storedZip()])
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == Content.empty.line("tree/empty"))
    let start = "memarchive: bad.zip: entry \"tree/hello.txt\": the content's CRC-32 is "
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test func `With --keep-going all but the entry with a wrong checksum are digested`() throws {
    let outcome = try Program.run(
      "digest", "--keep-going", "bad.zip", beside: ["bad.zip": Damage.storedZip()])
    let intact =
      Content.empty.line("tree/empty") + Content.poem.line("tree/poem.txt")
      + Content.script.line("tree/run.sh")
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == intact)
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.contains("\"tree/hello.txt\""))
  }

  @Test func `With --keep-going entries after one that cannot be inflated are digested`() throws {
    let outcome = try Program.run(
      "digest", "--keep-going", "bad.zip", beside: ["bad.zip": Damage.deflatedZip()])
    let intact =
      Content.empty.line("tree/empty") + Content.hello.line("tree/hello.txt")
      + Content.script.line("tree/run.sh")
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == intact)
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.contains("\"tree/poem.txt\""))
  }

  @Test func `cat writes nothing of an entry with a wrong checksum`() throws {
    let zip = try Damage.storedZip()
    let outcome = try Program.run("cat", "bad.zip", "tree/hello.txt", "tree/run.sh", beside: ["bad.zip": zip])
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == "")
    let going = try Program.run(
      "cat", "--keep-going", "bad.zip", "tree/hello.txt", "tree/run.sh", beside: ["bad.zip": zip])
    #expect(going.end == .exit(1))
    #expect(going.output == Content.script.bytes)
    #expect(going.errors == outcome.errors)
  }

  @Test func `cat of an intact entry in a damaged archive succeeds`() throws {
    let outcome = try Program.run("cat", "bad.zip", "tree/run.sh", beside: ["bad.zip": Damage.storedZip()])
    #expect(outcome == .done(Content.script.bytes))
  }

  @Test func `An entry that is requested by name and by symlink is reported once`() throws {
    let outcome = try Program.run(
      "cat", "--keep-going", "bad.zip", "tree/hello.txt", "tree/link", beside: ["bad.zip": Damage.storedZip()]
    )
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.count == 1, "\(outcome.errors)")
  }

  @Test func `test counts what it could verify`() throws {
    let zip = try Damage.storedZip()
    let outcome = try Program.run("test", "bad.zip", beside: ["bad.zip": zip])
    #expect(outcome.end == .exit(1))
    #expect(outcome.output == "bad.zip: FAILED, 3 entries, 1 with content, 0 bytes\n")
    let going = try Program.run("test", "--keep-going", "bad.zip", beside: ["bad.zip": zip])
    #expect(going.end == .exit(1))
    #expect(going.output == "bad.zip: FAILED, 6 entries, 3 with content, 1499 bytes\n")
  }

  @Test(arguments: ["cat", "digest", "list"])
  func `A lone gzip file with a wrong checksum gives nothing to any command`(command: String) throws {
    let arguments: [Bytes] = ["\(command)", "hello.txt.gz"] + (command == "cat" ? ["hello.txt"] : [])
    let outcome = try Program.run(arguments, beside: ["hello.txt.gz": Damage.loneGzip()])
    let start = "memarchive: hello.txt.gz: " + (command == "list" ? "" : "entry \"hello.txt\": ")
    let says = "the gzip stream is damaged: incorrect data check (inflate). Fetch the archive again, or ask "
    #expect(outcome.end == .exit(1))
    #expect(outcome.errors.text == start + says + "its author.\n")
    // A list needs no content: the name is at the beginning of the stream.
    #expect(outcome.output.lines.count == (command == "list" ? 1 : 0))
  }

  @Test func `run executes nothing when an entry's content is damaged, and exits 125`() throws {
    let outcome = try Program.run(
      "run", "bad.zip", "--", "echo", "{tree/hello.txt}", beside: ["bad.zip": Damage.storedZip()])
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.hasPrefix("memarchive: bad.zip: entry \"tree/hello.txt\": the content's"))
  }

  @Test func `An entry that a hard link leads to is reported once`() throws {
    let outcome = try Program.run("digest", "--keep-going", "--max-entry", "20", "tar-all-kinds.tar")
    #expect(outcome.end == .exit(3))
    #expect(outcome.output == Content.script.line("all/setuid"))
    #expect(outcome.errors.lines.filter { $0.text.contains("\"all/file\"") }.count == 1, "\(outcome.errors)")
  }

  @Test func `Text is not an archive`() throws {
    let outcome = try Program.run("list", "README.md")
    let says: Bytes = """
      memarchive: README.md: this is not an archive that MemArchive reads. Check that the file is complete and \
      is not encrypted as a whole.

      """
    #expect(outcome == .failed(1, errors: says))
  }
}
