import TestSupport
import Testing

/// Cases in which `run` does not execute its command.
struct RunFailureTests {
  @Test func `A command that is not found exits 127`() throws {
    let outcome = try Program.run("run", "-q", "tar-ustar.tar", "--", "no-such-command-anywhere")
    #expect(
      outcome == .failed(127, errors: "memarchive: no-such-command-anywhere: No such file or directory\n"))
    let path = try Program.run("run", "-q", "tar-ustar.tar", "--", "./nowhere")
    #expect(path == .failed(127, errors: "memarchive: ./nowhere: No such file or directory\n"))
    #expect(try Program.run("run", "tar-ustar.tar", "--", "").end == .exit(127))
  }

  @Test func `A command that cannot be executed exits 126`() throws {
    let file = try Program.run("run", "-q", "tar-ustar.tar", "--", "./README.md")
    #expect(file == .failed(126, errors: "memarchive: ./README.md: Permission denied\n"))
    let directory = try Program.run("run", "-q", "tar-ustar.tar", "--", "/")
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

  @Test func `A root directory that is no mount is told how to become one`() throws {
    // Each of the system's directories is bound below one that is none.
    let outcome = try withTemporaryDirectory { directory in
      try Program.shell(
        """
        mkdir r && cd r && for d in /*; do if [ -h $d ]; then cp -P $d .; elif [ -d $d ]; then mkdir .$d; fi; done
        exec unshare -rm sh -c '
          for d in *; do [ -h $d ] || mount --rbind /$d $d; done
          exec chroot . "$0" run --tree "$1" -- true' "$m" "$1"
        """, "\(Fixture.directory)/tar-ustar.tar", in: directory)
    }
    #expect(outcome.end == .exit(125))
    let says = "(mount: Invalid argument). The root directory is no mount, as after chroot(8): bind"
    #expect(outcome.errors.text.contains(says), "\(outcome.errors)")
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

  /// The shell takes {a,b}, and people forget the braces.
  @Test
  func `A command that uses nothing of the archive is warned about, with the argument that is an entry`()
    throws
  {
    let warning: ByteString =
      "memarchive: tar-all-kinds.tar: warning: the command uses nothing of the archive. Write "
    let outcome = try Program.run("run", "tar-all-kinds.tar", "--", "echo", "all/", "all/file")
    #expect(
      outcome
        == Outcome.done(
          "all/ all/file\n", errors: warning + "'{all/file}' for the path of the entry \"all/file\".\n"))
    let none = try Program.run("run", "tar-all-kinds.tar", "--", "echo", "x")
    #expect(
      none == Outcome.done("x\n", errors: warning + "'{NAME}' for the path of an entry, or use --tree.\n"))
    let quiet = try Program.run("run", "-q", "tar-all-kinds.tar", "--", "echo", "all/file")
    #expect(quiet == .done("all/file\n"))
    for use in [
      ["--library-path", "all", "tar-all-kinds.tar", "--", "true"],
      ["tar-all-kinds.tar", "--", "test", "-e", "{all/file}"],
    ] as [[ByteString]] {
      #expect(try Program.run(["run"] + use) == .done())
    }
  }

  @Test func `Braces of the command's own are told how they are written`() throws {
    let outcome = try Program.run("run", "zip-deflated.zip", "--", "awk", "{print $1}", "{tree/hello.txt}")
    let says: ByteString =
      "memarchive: zip-deflated.zip: there is no entry \"print $1\". Write {{ for a brace that begins no name.\n"
    #expect(outcome == .failed(2, errors: says))
    let shown = try Program.run("run", "zip-deflated.zip", "--", "awk", "{{print $1}", "{tree/hello.txt}")
    #expect(shown.end == .exit(0))
  }

  @Test func `A name in an archive inside the archive is told of -r`() throws {
    let says: ByteString = """
      memarchive: ar-package.deb: there is no entry "data.tar.xz/usr/bin/hello". "data.tar.xz" is a file: -r reads archives \
      inside the archive too.

      """
    for command in [["cat"], ["digest"], ["list"]] as [[ByteString]] {
      let outcome = try Program.run(command + ["ar-package.deb", "data.tar.xz/usr/bin/hello"])
      #expect(outcome == .failed(2, errors: says))
    }
    let run = try Program.run("run", "ar-package.deb", "--", "cat", "{data.tar.xz/usr/bin/hello}")
    #expect(run == .failed(2, errors: says))
  }

  @Test func `A name of thousands of bytes is shortened in a message`() throws {
    let name = ByteString(String(repeating: "x", count: 5000).utf8)
    let outcome = try Program.run("cat", "zip-deflated.zip", name)
    let start = String(repeating: "x", count: 200)
    let end = String(repeating: "x", count: 50)
    let says = "memarchive: zip-deflated.zip: there is no entry \"\(start)[… 4750 bytes …]\(end)\".\n"
    #expect(outcome == .failed(2, errors: ByteString(says.utf8)))
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
    #expect(outcome.errors.lines.first?.text == "memarchive: " + says)
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

  @Test(arguments: ["list --sandbox required", "run --tree"], 4...16)
  func `However few descriptors there are, the error is that, or there is none`(command: String, limit: Int)
    throws
  {
    let rest: ByteString = command == "run --tree" ? " -- true" : ""
    let outcome = try Program.shell(
      ByteString("ulimit -n \(limit); exec $m \(command) tar-ustar.tar".utf8) + rest)
    if outcome.end == .exit(0) { return #expect(outcome.errors == "") }
    #expect(outcome.errors.text.contains("Too many open files"), "\(outcome.errors)")
  }

  @Test(arguments: ["required", "off"])
  func `A file has the number of none of the standard streams`(sandbox: String) throws {
    let script: ByteString =
      "exec $m run --sandbox \(sandbox) hello.txt.gz -- sh -c 'echo {#hello.txt}' <&- 2>&-"
    let outcome = try Program.shell(script)
    #expect(outcome.end == .exit(0))
    #expect(try #require(Int(outcome.output.text.dropLast())) > 2)
  }
}
