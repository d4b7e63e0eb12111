import TestSupport
import Testing

/// `-` instead of an archive: a pipe, or a redirected file.
struct StandardInputTests {
  static let archives = [
    "tar-all-kinds.tar", "zip-deflated.zip", "7z-lzma2.7z", "tree.tar.gz",
  ]

  @Test(arguments: archives)
  func `A pipe and a redirected file read as the file itself does`(archive: String) throws {
    let named = try Program.run("digest", "--include", "*/*", ByteString(archive.utf8))
    #expect(named.end == .exit(0))
    let bytes = try ByteString.fixture(archive)
    try Program.expect("digest", "--include", "*/*", "-", input: .pipe(bytes), gives: named)
    let file = Command.Input.file(Fixture.directory + "/" + archive)
    try Program.expect("digest", "--include", "*/*", "-", input: file, gives: named)
  }

  @Test func `A zip from a pipe is read while it arrives, and its end is compared`() throws {
    let named = try Program.run("digest", "zip-streamed-unsigned.zip")
    #expect(named.end == .exit(0) && named.errors == "")
    let bytes = try ByteString.fixture("zip-streamed-unsigned.zip")
    try Program.expect("digest", "--arriving-zip", "-", input: .pipe(bytes), gives: named)
    let linked = try ByteString.fixture("zip-streamed.zip")
    let outcome = try Program.run("digest", "--arriving-zip", "-", input: .pipe(linked))
    #expect(outcome.end == .exit(1))
    #expect(
      outcome.errors == """
        memarchive: -: entry "tree/link": the directory says that it is a symlink, which no local header tells. Use nothing \
        that came out, and read it again without --arriving-zip.

        """)
    try Program.expect(
      "digest", "--arriving-zip", "zip-streamed.zip", gives: try Program.run("digest", "zip-streamed.zip"))
  }

  /// Its name is the file's, which a pipe does not have.
  @Test func `A lone compressed file has the same content from a pipe and a redirected file`() throws {
    let name = "hello.txt.zst"
    let inputs: [Command.Input] = [
      .pipe(try ByteString.fixture(name)), .file(Fixture.directory + "/" + name),
    ]
    for input in inputs {
      #expect(try Program.run(["digest", "-"], input: input) == .done(Content.hello.line("data")))
    }
    #expect(try Program.run("digest", "hello.txt.zst") == .done(Content.hello.line("hello.txt")))
  }

  @Test(arguments: ["list", "digest", "cat", "test", "run", "each"])
  func `Each subcommand takes a pipe`(_ name: String) throws {
    let arguments: [ByteString] =
      switch name {
      case "cat": ["cat", "-", "all/file"]
      case "run": ["run", "-", "--", "cat", "{all/file}"]
      case "each": ["each", "-", "--jobs", "1", "--", "cat"]
      default: [ByteString(name.utf8), "-"]
      }
    let outcome = try Program.run(arguments, input: .pipe(try ByteString.fixture("tar-all-kinds.tar")))
    let named = try Program.run(arguments.map { $0 == "-" ? "tar-all-kinds.tar" : $0 })
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    #expect(outcome.output.text == named.output.text.replacing("tar-all-kinds.tar:", with: "-:"))
  }

  @Test func `A lone compressed file from a pipe has its header's name or none`() throws {
    let named = try Program.run("digest", "-", input: .pipe(try ByteString.fixture("hello.txt.gz")))
    #expect(named == .done(Content.hello.line("hello.txt")))
    let nameless = try Program.run("digest", "-", input: .pipe(try ByteString.fixture("hello.txt.xz")))
    #expect(nameless == .done(Content.hello.line("data")))
  }

  @Test(
    arguments: [
      ("tar-all-kinds.tar", "all/symlink"), ("tar-all-kinds.tar", "all/hardlink"),
      ("zip-deflated.zip", "tree/link"),
    ] as [(ByteString, ByteString)])
  func `A link is followed in an archive that can be read only once`(archive: ByteString, name: ByteString)
    throws
  {
    let bytes = try ByteString.fixture(archive.text)
    try Program.expect("cat", "-", name, input: .pipe(bytes), gives: .done(Content.hello.bytes))
    try Program.expect(
      "run", "-", "--", "cat", "{" + name + "}", input: .pipe(bytes), gives: .done(Content.hello.bytes))
  }

  @Test func `A hard link is digested alone in an archive that can be read only once`() throws {
    let bytes = try ByteString.fixture("tar-all-kinds.tar")
    let outcome = try Program.run("digest", "-", "all/hardlink", input: .pipe(bytes))
    #expect(outcome == .done(Content.hello.line("all/hardlink")))
  }

  @Test func `A link is followed in a pipe that has a path`() throws {
    let bytes = try ByteString.fixture("tar-all-kinds.tar")
    let outcome = try Program.run("cat", "/dev/stdin", "all/symlink", input: .pipe(bytes))
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test func `A named pipe is read once, link or not`() throws {
    try withTemporaryDirectory { directory in
      let archive = ByteString((Fixture.directory + "/tar-all-kinds.tar").utf8)
      // Opened a second time, the pipe would wait for ever for somebody who writes.
      let outcome = try Program.shell(
        "mkfifo fifo; cat \"$1\" > fifo & exec timeout 30 $m cat fifo all/symlink", archive, in: directory)
      #expect(outcome == .done(Content.hello.bytes))
    }
  }

  @Test func `A pipe that was read to its end is not taken for an empty archive`() throws {
    let outcome = try Program.run("test", "-", "-", input: .pipe(try ByteString.fixture("tar-ustar.tar")))
    #expect(outcome.end == .exit(4))
    #expect(outcome.output.lines.first == "-: OK, 6 entries, 4 with content, 1520 bytes")
    #expect(outcome.output.lines.last?.text.hasPrefix("-: FAILED, ") == true, "\(outcome.output)")
  }

  @Test func `Behind what is no archive none is looked for, in a file as in a pipe`() throws {
    // As many bytes as lie between the two looks at what the content is.
    let bytes = "x" * 28_678 + (try ByteString.fixture("tar-ustar.tar"))
    let pipe = try Program.run("list", "-", input: .pipe(bytes))
    #expect(pipe.end == .exit(1))
    #expect(pipe.output == "")
    let file = try Program.run("list", "file", beside: ["file": bytes])
    #expect(file.end == .exit(1))
    #expect(file.output == "")
  }

  @Test func `A redirected file is read from its beginning and its offset is kept`() throws {
    let outcome = try Program.shell("{ $m list - > /dev/null; wc -c; } < hello.txt.gz")
    #expect(outcome == .done("\(try Fixture.bytes("hello.txt.gz").count)\n"))
  }

  @Test func `A missing standard input is reported with exit 4`() throws {
    let outcome = try Program.run("list", "-", input: .closed)
    #expect(outcome.end == .exit(4))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains("Bad file descriptor"), "\(outcome.errors)")
  }
}
