import TestSupport
import Testing

struct LimitTests {
  /// Arguments, the limit that they exceed, and the entry and the text of the error.
  struct Case: CustomTestStringConvertible {
    let arguments: [ByteString]
    let entry: String
    let says: String
    var testDescription: String { arguments.map(\.text).joined(separator: " ") }

    init(_ arguments: ByteString..., entry: String, says: String) {
      self.arguments = arguments
      self.entry = entry
      self.says = says
    }
  }

  static let cases = [
    Case(
      "test", "--max-total", "512K", "zip-3mib.zip", entry: "big.txt",
      says: "what the archive unpacks to exceeds the limit totalBytes = 524288"),
    Case(
      "test", "--max-total", "3MB", "zip-3mib.zip", entry: "big.txt",
      says: "what the archive unpacks to exceeds the limit totalBytes = 3000000"),
    Case(
      "digest", "--max-total", "1KiB", "tar-all-kinds.tar", entry: "all/contiguous",
      says: "what the archive unpacks to exceeds the limit totalBytes = 1024"),
    Case(
      "test", "--max-total", "0", "hello.txt.gz", entry: "hello.txt",
      says: "what the archive unpacks to exceeds the limit totalBytes = 0"),
    Case(
      "test", "--max-entry", "1KiB", "tar-all-kinds.tar", entry: "all/contiguous",
      says: "its size of at least 1480 bytes exceeds the limit entryBytes = 1024"),
    Case(
      "cat", "--max-entry", "20", "hello.txt.gz", "hello.txt", entry: "hello.txt",
      says: "its size of at least 21 bytes exceeds the limit entryBytes = 20"),
    Case(
      "list", "--max-entries", "3", "tar-all-kinds.tar", entry: "all/hardlink",
      says: "the number of entries exceeds the limit entries = 3"),
    Case(
      "digest", "--max-entries", "0", "tar-all-kinds.tar", entry: "all/",
      says: "the number of entries exceeds the limit entries = 0"),
  ]

  @Test(arguments: cases)
  func `Beyond a limit the status is 3, and entry, limit and value are named`(_ limit: Case) throws {
    let outcome = try Program.run(limit.arguments)
    #expect(outcome.end == .exit(3))
    let archive = try #require(limit.arguments.first { Fixture.all.map(\.file).contains($0.text) })
    let start = "memarchive: \(archive.text): entry \"\(limit.entry)\": \(limit.says). "
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test(arguments: [("--max-total", "20"), ("--max-entry", "20"), ("--max-entries", "0")])
  func `The error says which option raises the limit`(option: String, value: String) throws {
    let outcome = try Program.run("digest", "\(option)", "\(value)", "hello.txt.gz")
    #expect(outcome.end == .exit(3))
    #expect(outcome.errors.text.contains(option), "\(outcome.errors)")
  }

  @Test func `Entries before the limit are shown`() throws {
    let outcome = try Program.run("digest", "--max-total", "1KiB", "tar-all-kinds.tar")
    let shown =
      Content.hello.line("all/file") + Content.hello.line("all/hardlink") + Content.script.line("all/setuid")
    #expect(outcome.end == .exit(3))
    #expect(outcome.output == shown)
    let listed = try Program.run("list", "--max-entries", "2", "--json", "tar-all-kinds.tar")
    #expect(try JSONLines(listed.output).objects.map { $0["name"] } == [.text("all/"), .text("all/file")])
  }

  @Test(
    arguments: [
      ["--max-total", "3148800"], ["--max-total", "4M"], ["--max-total", "4MiB"], ["--max-total", "4mb"],
      ["--max-total=1G"], ["--max-total", "7E"], ["--max-entry", "3148800"],
      ["--max-entries", "1"], ["--max-entry", "1TiB", "--max-total", "1TB", "--max-entries", "10"],
    ])
  func `An archive within its limits passes, down to the byte`(options: [String]) throws {
    let outcome = try Program.run(["test", "zip-3mib.zip"] + options.map { ByteString($0.utf8) })
    #expect(outcome == .done("zip-3mib.zip: OK, 1 entries, 1 with content, 3148800 bytes\n"))
  }

  @Test func `One byte below the need is too little`() throws {
    #expect(try Program.run("test", "--max-total", "3148799", "zip-3mib.zip").end == .exit(3))
    #expect(try Program.run("test", "--max-entry", "3148799", "zip-3mib.zip").end == .exit(3))
  }

  @Test func `With --keep-going only the entry that is too large is left out`() throws {
    let outcome = try Program.run("digest", "--max-entry", "1KiB", "--keep-going", "tar-all-kinds.tar")
    let shown =
      Content.hello.line("all/file") + Content.hello.line("all/hardlink") + Content.script.line("all/setuid")
      + Content.hello.line("all/last")
    #expect(outcome.end == .exit(3))
    #expect(outcome.output == shown)
    #expect(outcome.errors.lines.count == 1)
  }

  @Test func `An entry that was not requested costs nothing`() throws {
    let outcome = try Program.run("cat", "--max-total", "21", "tar-all-kinds.tar", "all/last")
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test(arguments: [
    "", "K", "5X", "1.5M", "5MBB", "0x10", "5 M", "+5", "9223372036854775808", "8E", "9999999999G",
  ])
  func `An invalid size is wrong usage`(size: String) throws {
    for option in ["--max-total", "--max-entry"] {
      let outcome = try Program.run("test", "\(option)", ByteString(size.utf8), "hello.txt.gz")
      #expect(outcome.end == .exit(2))
      #expect(outcome.output == "")
      #expect(
        outcome.errors.lines.first
          == "memarchive: The value '\(size)' is invalid for '\(option) <size>': a size is a number of bytes such as 4096, 512M or 2GiB."
      )
    }
  }

  @Test(
    arguments: [
      "--max-total=-1", "--max-entry=-1K", "--max-entries=-1", "--max-entries=x", "--max-entries=1K",
    ])
  func `A negative size and an invalid number of entries are wrong usage`(option: String) throws {
    let outcome = try Program.run("test", "\(option)", "hello.txt.gz")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.hasPrefix("memarchive: "))
    #expect(outcome.errors.text.contains("\nUsage: memarchive test "))
  }

  @Test func `run exits 125 beyond a limit, and the command does not run`() throws {
    let outcome = try Program.run("run", "--max-total", "1K", "zip-3mib.zip", "--", "echo", "{big.txt}")
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains("exceeds the limit totalBytes = 1024"))
  }

  @Test(arguments: ["digest", "list", "test"] as [ByteString])
  func `Attributes of entries that are not kept are not held`(command: ByteString) throws {
    // 70 times 1 MB, each of its own: more than --max-total leaves for what is kept of entries.
    let script: ByteString = """
      import tarfile
      with tarfile.open("a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
          for number in range(80):
              entry = tarfile.TarInfo("file%d" % number)
              entry.pax_headers = {"SCHILY.xattr.user.x": "%05d" % number * 180000}
              tar.addfile(entry)
      """
    try withTemporaryDirectory { directory in
      let outcome = try Program.shell(
        "python3 -c \"$1\" && exec $m \"$2\" --max-total 1M a.tar", script, command, in: directory)
      #expect(outcome.end == .exit(0), "\(outcome.errors)")
    }
  }

  @Test(arguments: ["off", "required"] as [ByteString])
  func `MEMARCHIVE_MEMORY bounds what all archives hold together`(sandbox: ByteString) throws {
    func run(_ bytes: String, _ archives: ByteString...) throws -> Outcome {
      var command = Program.command(["run", "--sandbox", sandbox] + archives + ["--", "true", "{big.txt}"])
      command.environment["MEMARCHIVE_MEMORY"] = bytes
      return try command.run()
    }
    let refused = try run("3M", "zip-3mib.zip")
    #expect(refused.end == .exit(125))
    #expect(refused.errors.text.contains("exceeds the limit heldBytes = 3145728"), "\(refused.errors)")
    #expect(refused.errors.text.contains("MEMARCHIVE_MEMORY"), "\(refused.errors)")
    #expect(try run("8MiB", "zip-3mib.zip").end == .exit(0))
  }

  @Test(arguments: ["list", "test", "digest", "cat", "run"] as [ByteString])
  func `MEMARCHIVE_MEMORY that is no size is wrong usage`(name: ByteString) throws {
    var command = Program.command(
      [name, "hello.txt.gz", "hello.txt"] + (name == "run" ? ["--", "true"] : []))
    command.environment["MEMARCHIVE_MEMORY"] = "much"
    let outcome = try command.run()
    #expect(outcome.end == .exit(2), "\(outcome.errors)")
    #expect(
      outcome.errors.text.hasPrefix("memarchive: MEMARCHIVE_MEMORY=much: a size is a number of bytes"),
      "\(outcome.errors)")
  }
}
