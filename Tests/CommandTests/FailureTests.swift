import TestSupport
import Testing

/// System errors: exit 4 and no crash.
struct FailureTests {
  static let commands: [[ByteString]] = [["list"], ["digest"], ["cat"], ["test"]]

  private func arguments(_ command: [ByteString], _ archive: ByteString) -> [ByteString] {
    command + [archive] + (command == ["cat"] ? ["name"] : [])
  }

  @Test(arguments: commands)
  func `An archive that is not there exits 4 and says so`(command: [ByteString]) throws {
    let outcome = try Program.run(arguments(command, "nowhere.tar"))
    let says: ByteString = """
      memarchive: nowhere.tar: cannot be opened (open: No such file or directory). Check the \
      path and its permissions; an archive must be a file or a pipe.

      """
    let line: ByteString =
      command == ["test"] ? "nowhere.tar: FAILED, 0 entries, 0 with content, 0 bytes\n" : ""
    #expect(outcome == .failed(4, output: line, errors: says))
  }

  @Test(arguments: commands)
  func `A directory is no archive`(command: [ByteString]) throws {
    let outcome = try Program.run(arguments(command, "demo"))
    #expect(outcome.end == .exit(4))
    let start = "memarchive: demo: cannot be opened (open: Is a directory)."
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test func `An archive in a directory is named by its whole path`() throws {
    let outcome = try Program.run("list", "../Fixtures/demo")
    #expect(outcome.errors.text.hasPrefix("memarchive: ../Fixtures/demo: cannot be opened"))
  }

  @Test(
    arguments: [
      ["--help"], ["--version"], ["list", "tar-ustar.tar"], ["digest", "tar-ustar.tar"],
      ["test", "tar-ustar.tar"],
      ["cat", "tar-ustar.tar", "tree/hello.txt"], ["cat", "zip-3mib.zip", "big.txt"],
    ] as [[ByteString]])
  func `A full disk behind standard output exits 4 and says so`(arguments: [ByteString]) throws {
    var command = Program.command(arguments)
    command.output = .file("/dev/full")
    let says: ByteString = "memarchive: cannot write to standard output: No space left on device\n"
    #expect(try command.run() == .failed(4, errors: says))
  }

  @Test func `A reader who goes away ends the program by SIGPIPE, as it ends cat`() throws {
    for arguments in [["cat", "zip-3mib.zip", "big.txt"], ["list", "tar-300-entries.tar.gz"]]
      as [[ByteString]]
    {
      var command = Program.command(arguments)
      command.output = .brokenPipe
      #expect(try command.run() == Outcome(end: .signal(13), output: "", errors: ""))
    }
  }

  @Test func `If SIGPIPE is ignored, a reader that goes away is a write error`() throws {
    var command = Command("env", "--ignore-signal=PIPE", Program.path, "cat", "zip-3mib.zip", "big.txt")
    command.output = .brokenPipe
    let says: ByteString = "memarchive: cannot write to standard output: Broken pipe\n"
    #expect(try command.run() == .failed(4, errors: says))
  }

  @Test func `head reads the beginning of a large entry without an error`() throws {
    let outcome = try Program.shell("$m cat zip-3mib.zip big.txt | head -c 20 | wc -c")
    #expect(outcome == .done("20\n"))
  }

  @Test func `Without a standard output, that is said`() throws {
    for arguments in [["list", "tar-ustar.tar"], ["cat", "tar-ustar.tar", "tree/hello.txt"]] as [[ByteString]]
    {
      var command = Program.command(arguments)
      command.output = .closed
      let says: ByteString = "memarchive: cannot write to standard output: Bad file descriptor\n"
      #expect(try command.run() == .failed(4, errors: says))
    }
  }

  @Test func `A hostile name stays on one line of an error`() throws {
    let archive = ByteString.tar(ByteString.entry("a\nmemarchive: all is well\u{1B}[2J", "content"))
    let outcome = try Program.run("test", "--max-entry", "1", "-", input: .pipe(archive))
    #expect(outcome.end == .exit(3))
    #expect(outcome.errors.lines.count == 1, "\(outcome.errors)")
    #expect(outcome.errors.values.allSatisfy { $0 >= 0x20 || $0 == UInt8(ascii: "\n") }, "\(outcome.errors)")
  }
}
