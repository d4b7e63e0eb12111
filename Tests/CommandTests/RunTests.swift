import TestSupport
import Testing

/// `run` becomes the command: its status, its process, its environment.
struct RunTests {
  @Test(arguments: [0, 1, 7, 125, 255] as [Int32])
  func `The command's exit status is the program's`(_ status: Int32) throws {
    let outcome = try Program.run("run", "-q", "tar-ustar.tar", "--", "sh", "-c", "exit \(status)")
    #expect(outcome == Outcome(end: .exit(status), output: "", errors: ""))
  }

  @Test(arguments: [2, 9, 15, 11] as [Int32])
  func `A signal that kills the command is seen as that signal`(_ signal: Int32) throws {
    let outcome = try Program.run(
      "run", "-q", "tar-ustar.tar", "--", "sh", "-c", "ulimit -c 0; kill -\(signal) $$")
    #expect(outcome == Outcome(end: .signal(signal), output: "", errors: ""))
  }

  @Test func `The command has the process id that the program was started with`() throws {
    let running = try Program.command("run", "-q", "tar-ustar.tar", "--", "sh", "-c", "echo $$ $PPID").start()
    let outcome = try running.wait()
    let own = try Command("sh", "-c", "echo $PPID").run()
    #expect(outcome == .done("\(running.pid) " + own.output))
  }

  @Test func `Exactly the named entries are open in the command`() throws {
    let outcome = try Program.run(
      "run", "-q", "tar-all-kinds.tar", "--", "sh", "-c",
      "find /proc/$$/fd -mindepth 1 -printf '%f %l\\n'; :",
      "sh",
      "{all/file}", "{all/last}")
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    let open = outcome.output.lines.map { $0.text.split(separator: " ", maxSplits: 1) }
      .sorted { Int($0[0]) ?? 0 < Int($1[0]) ?? 0 }
    #expect(open.prefix(3).map { $0[0] } == ["0", "1", "2"])
    #expect(open.dropFirst(3).map { $0[1] } == ["/memfd:/all/file (deleted)", "/memfd:/all/last (deleted)"])
  }

  @Test func `An entry named twice is one descriptor`() throws {
    let outcome = try Program.run(
      "run", "-q", "tar-all-kinds.tar", "--", "sh", "-c",
      "echo $1 $2; find /proc/$$/fd -lname '/memfd:*' | wc -l",
      "sh",
      "{all/file}", "{all/file}")
    let words = try #require(outcome.output.lines.first).text.split(separator: " ")
    #expect(words.count == 2 && words[0] == words[1], "\(outcome.output)")
    #expect(outcome.output.lines.last == "1")
  }

  @Test func `A descriptor that the caller opened for the command reaches it`() throws {
    let outcome = try Program.shell(
      "exec 9< README.md; exec $m run -q tar-ustar.tar -- sh -c 'head -n 1 <&9'")
    #expect(outcome == .done("# Fixtures\n"))
  }

  @Test func `The command finds limits, mask, directory and environment as they were`() throws {
    let look: ByteString = "sh -c 'ulimit -Sa; ulimit -Ha; umask; pwd; env | sort'"
    let before: ByteString = "ulimit -Sn 77; umask 027; export ODD=$(printf 'x\\351'); "
    let expected = try Program.shell(before + "exec " + look)
    #expect(expected.output.lines.contains("ODD=x" + [0xE9]))
    #expect(try Program.shell(before + "exec $m run -q tar-300-entries.tar.gz -- " + look) == expected)
  }

  @Test func `The command finds its signals as they were: blocked, ignored or at rest`() throws {
    let look: [ByteString] = ["grep", "^Sig[BI]", "/proc/self/status"]
    let env: [ByteString] = [
      "env", "--block-signal=USR1", "--block-signal=CHLD", "--ignore-signal=INT", "--ignore-signal=PIPE",
    ]
    let expected = try Command(env + look).run()
    #expect(expected.output.lines.count == 2)
    #expect(try Command(env + [Program.path, "run", "-q", "tar-ustar.tar", "--"] + look).run() == expected)
    let atRest = try Command(look).run()
    #expect(atRest != expected)
    try Program.expect(["run", "-q", "tar-ustar.tar", "--"] + look, gives: atRest)
  }

  @Test func `More entries than the soft limit allows descriptors reach the command`() throws {
    let fixture = try #require(Fixture.all.first { $0.file == "tar-300-entries.tar.gz" })
    let names = fixture.entries.filter { $0.kind == "file" }.map { "{" + $0.rawName + "}" }
    let script: ByteString =
      "ulimit -Sn 64; exec \"$0\" run tar-300-entries.tar.gz -- sh -c 'ulimit -Sn; cat \"$@\"' sh \"$@\""
    let outcome = try Command(["sh", "-c", script, Program.path] + names).run()
    let contents = try Command("tar", "-xOf", "tar-300-entries.tar.gz").run()
    #expect(outcome == .done("64\n" + contents.output))
  }

  @Test func `Standard input passes to the command untouched`() throws {
    let text = Content.poem.bytes
    try Program.expect("run", "-q", "tar-ustar.tar", "--", "cat", input: .pipe(text), gives: .done(text))
    let both = try Program.run(
      "run", "-q", "tar-ustar.tar", "--", "cat", "-", "{tree/hello.txt}", input: .pipe(text))
    #expect(both == .done(text + Content.hello.bytes))
  }

  @Test func `A standard stream that is closed stays closed, and no entry takes its place`() throws {
    var command = Program.command(
      "run", "-q", "tar-all-kinds.tar", "--", "sh", "-c", "find /proc/$$/fd -mindepth 1 -printf '%f\\n'; :",
      "sh", "{all/file}", "{all/last}")
    command.input = .closed
    let open = Set(try command.run().output.lines.compactMap { Int($0.text) })
    #expect(!open.contains(0))
    #expect(open.contains(1) && open.contains(2) && open.count == 4, "\(open)")
  }

  @Test func `An archive from standard input is read before the command begins`() throws {
    let archive = try ByteString.fixture("tree.tar.gz")
    let outcome = try Program.run(
      "run", "-", "--", "sh", "-c", "wc -c; cat \"$1\"", "sh", "{tree/run.sh}", input: .pipe(archive))
    #expect(outcome == .done("0\n" + Content.script.bytes))
  }

  @Test func `The command cannot change an entry`() throws {
    let script: ByteString = """
      import os, sys
      path = sys.argv[1]
      ways = [lambda flags=flags: os.write(os.open(path, flags), b"x")
              for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC)]
      ways.append(lambda: os.pwrite(int(os.path.basename(path)), b"x", 0))
      for way in ways:
          try:
              way()
              print("written")
          except PermissionError:
              print("refused")
      sys.stdout.write(open(path).read())
      """
    let outcome = try Program.run(
      "run", "-q", "tar-ustar.tar", "--", "python3", "-c", script, "{tree/hello.txt}")
    #expect(outcome == .done("refused\n" * 4 + Content.hello.bytes))
  }

  @Test func `Everything after -- belongs to the command`() throws {
    let outcome = try Program.run(
      "run", "-q", "tar-no-end-marker.tar", "-v", "--", "echo", "-q", "--help", "--")
    #expect(outcome == .done("-q --help --\n"))
  }

  @Test func `A warning about the archive comes before the command, on standard error`() throws {
    let outcome = try Program.run("run", "tar-no-end-marker.tar", "--", "sh", "-c", "echo command >&2")
    let says: ByteString = """
      memarchive: tar-no-end-marker.tar: warning: the end-of-archive marker is missing
      memarchive: tar-no-end-marker.tar: warning: the command uses nothing of the archive. Write '{NAME}' for the path of \
      an entry, or use --tree.
      command

      """
    #expect(outcome == .done(errors: says))
  }
}
