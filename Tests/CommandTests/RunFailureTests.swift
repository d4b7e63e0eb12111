import TestSupport
import Testing

/// Cases in which `run` does not execute its command.
struct RunFailureTests {
  @Test func `A command that is not found exits 127`() throws {
    let outcome = try Program.run("run", "tar-ustar.tar", "--", "no-such-command-anywhere")
    #expect(
      outcome == .failed(127, errors: "memarchive: no-such-command-anywhere: No such file or directory\n"))
    let path = try Program.run("run", "tar-ustar.tar", "--", "./nowhere")
    #expect(path == .failed(127, errors: "memarchive: ./nowhere: No such file or directory\n"))
    #expect(try Program.run("run", "tar-ustar.tar", "--", "").end == .exit(127))
  }

  @Test func `A command that cannot be executed exits 126`() throws {
    let file = try Program.run("run", "tar-ustar.tar", "--", "./README.md")
    #expect(file == .failed(126, errors: "memarchive: ./README.md: Permission denied\n"))
    let directory = try Program.run("run", "tar-ustar.tar", "--", "/")
    #expect(directory == .failed(126, errors: "memarchive: /: Permission denied\n"))
  }

  @Test(arguments: ["no-such-command-anywhere", "./nowhere", "./README.md", "/"])
  func `A shell agrees on 126 and 127`(command: String) throws {
    let shell = try Command("sh", "-c", "\"$0\"", "\(command)").run()
    #expect(try Program.run("run", "tar-ustar.tar", "--", "\(command)").end == shell.end)
  }

  @Test(arguments: ["nowhere.tar", "README.md", "demo"])
  func `An archive that cannot be read exits 125 and executes nothing`(archive: String) throws {
    let outcome = try Program.run("run", "\(archive)", "--", "echo", "executed")
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.count == 1 && outcome.errors.text.hasPrefix("memarchive: \(archive): "))
  }

  @Test func `An unknown name exits 2 with those that come near`() throws {
    let says: ByteString = """
      memarchive: tar-all-kinds.tar: there is no entry "all/fil". Did you mean "all/file"?

      """
    try Program.expect("run", "tar-all-kinds.tar", "--", "echo", "{all/fil}", gives: .failed(2, errors: says))
  }

  @Test func `The near names are told of an archive that can be read only once, too`() throws {
    let archive = try ByteString.fixture("tar-all-kinds.tar")
    let outcome = try Program.run("run", "-", "--", "echo", "{all/fil}", input: .pipe(archive))
    let says: ByteString =
      "memarchive: -: there is no entry \"all/fil\". Did you mean \"all/file\"?\n"
    #expect(outcome == .failed(2, errors: says))
  }

  @Test func `Each of several unknown names is reported, in order`() throws {
    let outcome = try Program.run(
      "run", "tar-all-kinds.tar", "--", "echo", "{zebra-crossing}", "{all/fil}", "{yellow-submarine}")
    let says: ByteString = """
      memarchive: tar-all-kinds.tar: there is no entry "zebra-crossing". Write {{ for a brace that begins no name.
      memarchive: tar-all-kinds.tar: there is no entry "all/fil". Did you mean "all/file"?
      memarchive: tar-all-kinds.tar: there is no entry "yellow-submarine". Write {{ for a brace that begins no name.

      """
    #expect(outcome == .failed(2, errors: says))
  }

  @Test(arguments: ["all/", "all/fifo"])
  func `An entry without content is not a file for a command`(name: String) throws {
    let outcome = try Program.run("run", "tar-all-kinds.tar", "--", "echo", "{\(name)}")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    let start = "memarchive: tar-all-kinds.tar: entry \"\(name)\": a "
    #expect(outcome.errors.text.hasPrefix(start), "\(outcome.errors)")
  }

  @Test(
    arguments: [
      ("a{b", "\"a{b\" has a brace that is not closed; write {{ for a literal brace."),
      ("{", "\"{\" has a brace that is not closed; write {{ for a literal brace."),
      ("{{{", "\"{{{\" has a brace that is not closed; write {{ for a literal brace."),
      ("{}", "\"{}\" has no name between its braces; write {{ for a literal brace."),
    ])
  func `A brace that does not close, or holds nothing, is wrong usage`(argument: String, says: String) throws
  {
    let outcome = try Program.run("run", "tar-ustar.tar", "--", "echo", "\(argument)")
    #expect(outcome.end == .exit(2))
    #expect(outcome.output == "")
    #expect(outcome.errors.lines.first?.text == "Error: " + says)
    #expect(
      outcome.errors.lines.dropFirst().first
        == "Usage: memarchive run <archive> [<options>] -- <command> [<arg> ...]")
  }

  @Test func `Without descriptors left, nothing is executed and the exit status is 125`() throws {
    let outcome = try Program.shell(
      "ulimit -n 6; exec $m run tar-all-kinds.tar -- echo {all/file} {all/last} {all/setuid}")
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains("no descriptor is left"), "\(outcome.errors)")
  }
}
