import TestSupport
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
  func `A lone gzip file with a wrong checksum gives nothing, whoever asks`(command: String) throws {
    let arguments: [ByteString] = ["\(command)", "hello.txt.gz"] + (command == "cat" ? ["hello.txt"] : [])
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
    let says: ByteString = """
      memarchive: README.md: this is not an archive that MemArchive reads. Check that the file is complete and \
      is not encrypted as a whole.

      """
    #expect(outcome == .failed(1, errors: says))
  }

  /// 20 entries, of which 700,000 bytes come in blocks that are not compressed; the next block's header makes no sense.
  private static func damagedStream(_ filter: String) -> ByteString {
    let tar = (0..<20).map { ByteString.entry("\($0)", ByteString([UInt8($0)]) * 60_000) }.flatMap(\.values)
    func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) } }
    func blocks(_ size: Int, _ header: (Int) -> [UInt8]) -> [UInt8] {
      stride(from: 0, to: 700_000, by: size).flatMap { header(size) + tar[$0..<$0 + size] }
    }
    let stream: [UInt8] =
      switch filter {
      case "zst":
        [0x28, 0xB5, 0x2F, 0xFD, 0, 0x50] + blocks(100_000) { little($0 << 3, 3) }
          + little(100 << 3 | 3 << 1, 3)
      case "lz4":
        [0x04, 0x22, 0x4D, 0x18, 0x60, 0x50, 0xFB] + blocks(100_000) { little($0 | 1 << 31, 4) }
          + little(.max, 4)
      default:
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + blocks(50_000) { [0] + little($0, 2) + little(~$0, 2) } + [
          0b110
        ]
      }
    return ByteString(stream + [UInt8](repeating: 0, count: 100))
  }

  @Test(arguments: ["zst", "lz4", "gz"], ["off", "required"] as [ByteString])
  func `What was decoded before damage is shown, from a file as from a pipe`(
    filter: String, sandbox: ByteString
  )
    throws
  {
    try withTemporaryDirectory { directory in
      try Self.damagedStream(filter).write(to: directory + "/damaged")
      for source in ["damaged", "- < damaged", "- < <(cat damaged)", "- < <(dd bs=1000 if=damaged 2>&-)"]
        as [ByteString]
      {
        let outcome = try Program.shell(
          "export m; exec bash -c \"exec $m list --sandbox $1 $2\"", sandbox, source, in: directory)
        #expect(outcome.end == .exit(1))
        // The header of the twelfth is the last that lies before the damage.
        #expect(outcome.output.lines.count == 12, "\(source): \(outcome)")
      }
    }
  }
}
