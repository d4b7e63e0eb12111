import Glibc
import TestSupport
import Testing

/// `run --tree`: real paths, and nothing else about the command is changed.
struct RunTreeTests {
  private func tree(_ arguments: ByteString...) throws -> Outcome {
    try Program.run(["run", "--tree"] + arguments)
  }

  @Test func `An entry has a real path in a directory that can be listed`() throws {
    let script: ByteString = "realpath \"$1\"; cat \"$1\"; cd \"$MEMARCHIVE_ROOT/tree\" && pwd && ls"
    let outcome = try tree(
      "--at", "/srv", "tar-ustar.tar", "--", "sh", "-c", script, "sh", "{tree/hello.txt}")
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    let lines = outcome.output.lines.map(\.text)
    #expect(lines.first == "/srv/tree/hello.txt")
    #expect(lines.dropFirst().first == "Hello, sealed world.")
    #expect(lines.contains("/srv/tree"))
    #expect(lines.contains("hello.txt"))
  }

  @Test func `Without --at the tree is in the first empty directory of three`() throws {
    let outcome = try tree("tree.tar.gz", "--", "sh", "-c", "echo $MEMARCHIVE_ROOT; pwd")
    let lines = outcome.output.lines.map(\.text)
    #expect(["/mnt", "/media", "/srv"].contains(lines.first))
    let chdir = try tree("--chdir", "tree.tar.gz", "--", "sh", "-c", "echo $MEMARCHIVE_ROOT; pwd")
    let inside = chdir.output.lines.map(\.text)
    #expect(inside.count == 2 && inside[0] == inside[1])
  }

  @Test func `The tree cannot be written, and nobody else sees it`() throws {
    let script: ByteString =
      "touch /srv/x /srv/tree/hello.txt; rm /srv/tree/hello.txt; echo x > /srv/tree/hello.txt"
    let outcome = try tree("--at", "/srv", "tree.tar.gz", "--", "sh", "-c", script)
    #expect(outcome.end != .exit(0))
    #expect(outcome.errors.text.split(separator: "\n").count { $0.contains("Read-only file system") } == 4)
    let outside = try Command("ls", "/srv").run()
    let look = try Program.shell(
      "$m run --tree --at /srv tree.tar.gz -- sh -c 'ls /srv >&2; nsenter -t '$$' -m ls /srv 2>/dev/null || ls /proc/'$$'/root/srv'"
    )
    #expect(look.errors == "tree\n")
    #expect(look.output == outside.output)
  }

  @Test func `The command is this process, with its user, its standard input and its exit status`() throws {
    let running = try Program.command(
      "run", "--tree", "--at", "/srv", "tree.tar.gz", "--", "sh", "-c", "echo $$; id -u; id -g; exit 7"
    ).start()
    let outcome = try running.wait()
    let identity = try Command("sh", "-c", "id -u; id -g").run()
    #expect(outcome == Outcome(end: .exit(7), output: "\(running.pid)\n" + identity.output, errors: ""))
    let text = Content.poem.bytes
    try Program.expect("run", "--tree", "tree.tar.gz", "--", "cat", input: .pipe(text), gives: .done(text))
    let killed = try tree("tree.tar.gz", "--", "sh", "-c", "ulimit -c 0; kill -15 $$")
    #expect(killed.end == .signal(15))
  }

  @Test func `The command finds its signals, limits and descriptors as they were`() throws {
    let look: [ByteString] = [
      "sh", "-c",
      "grep '^Sig[BI]' /proc/self/status; ulimit -Sn; umask; find /proc/$$/fd -mindepth 1 -printf '%f '",
    ]
    let env: [ByteString] = ["env", "--block-signal=USR1", "--ignore-signal=INT"]
    let expected = try Command(env + look).run()
    #expect(try Command(env + [Program.path, "run", "--tree", "tree.tar.gz", "--"] + look).run() == expected)
  }

  @Test func `Several archives are directories with their names`() throws {
    let outcome = try tree(
      "--at", "/srv", "tree.tar.gz", "--also", "zip-deflated.zip", "--also", "demo/demo.zip", "--", "sh",
      "-c",
      "ls /srv; cat \"$1\"", "sh", "{tree.tar.gz/tree/hello.txt}")
    #expect(outcome == .done("demo.zip\ntree.tar.gz\nzip-deflated.zip\n" + Content.hello.bytes))
    let twice = try tree("tree.tar.gz", "--also", "./tree.tar.gz", "--", "true")
    #expect(twice.end == .exit(2))
  }

  @Test func `-r goes into archives inside the archive`() throws {
    let files = ["in.tar": ByteString.tar(ByteString.entry("a/b", "deep\n"))]
    let outer = ByteString.tar(ByteString.entry("in.tar", files["in.tar"]!), ByteString.entry("x", "flat\n"))
    let outcome = try Program.run(
      ["run", "--tree", "-r", "outer.tar", "--", "cat", "{x}", "{in.tar/a/b}"], beside: ["outer.tar": outer])
    #expect(outcome == .done("flat\ndeep\n"))
  }

  @Test func `A script of the archive is executed at its path`() throws {
    let outcome = try tree("tar-ustar.tar", "--", "{tree/run.sh}")
    #expect(outcome == .done("run\n"))
  }

  @Test func `SQLite opens a database of the archive, which it cannot without a real path`() throws {
    let make: ByteString =
      "python3 -c 'import sqlite3; c = sqlite3.connect(\"t.db\"); c.execute(\"create table t(x)\"); c.execute(\"insert into t values(42)\"); c.commit()' && zip -q d.zip t.db && rm t.db"
    let read: ByteString =
      "import sqlite3, sys; print(sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True).execute('select x from t').fetchone()[0])"
    try withTemporaryDirectory { directory in
      let outcome = try Program.shell(
        make + "; $m run --tree d.zip -- python3 -c \"$1\" '{t.db}'", read, in: directory)
      #expect(outcome == .done("42\n"))
    }
  }

  @Test func `A missing or forbidden entry is reported before the command runs`() throws {
    let missing = try tree("tree.tar.gz", "--", "echo", "{tree/hello.tx}")
    #expect(missing.end == .exit(2))
    #expect(missing.output == "")
    #expect(missing.errors.text.contains("tree/hello.txt"), "\(missing)")
    #expect(try tree("--at", "/no-such-directory-of-ours", "tree.tar.gz", "--", "echo").end == .exit(2))
    #expect(try tree("--at", "/", "tree.tar.gz", "--", "echo").end == .exit(2))
    #expect(try tree("tree.tar.gz", "--", "/nonexistent/command").end == .exit(127))
    #expect(try tree("nonexistent.tar", "--", "echo").end == .exit(125))
    for option: [ByteString] in [["--at", "/srv"], ["--chdir"], ["--also", "tree.tar.gz"]] {
      #expect(try Program.run(["run"] + option + ["tree.tar.gz", "--", "true"]).end == .exit(2))
    }
  }

  @Test func `What was left out is not suggested, and a directory may be`() throws {
    let archive = ByteString.tar(
      ByteString.entry("../lost.txt", "x"), ByteString.entry("dir/", type: "5"),
      ByteString.entry("kept.txt", "x"))
    let says: ByteString = """
      memarchive: -: there is no entry "../lost.tx".
      memarchive: -: there is no entry "dirr/". Did you mean "dir/"?
      memarchive: -: there is no entry "kept.tx". Did you mean "kept.txt"?

      """
    let outcome = try Program.run(
      "run", "-q", "--tree", "-", "--", "ls", "{../lost.tx}", "{dirr/}", "{kept.tx}", input: .pipe(archive))
    #expect(outcome.end == .exit(2))
    #expect(
      outcome.errors.text.replacing(" Write {{ for a brace that begins no name.", with: "") == says.text)
  }

  @Test func `Names that lead out are left out, said, and not there`() throws {
    let archive = ByteString.tar(
      ByteString.entry("../up", "1"), ByteString.entry("/etc/passwd", "2"),
      ByteString.entry("link", type: "2", link: "/etc"),
      ByteString.entry("good", "good\n"))
    let outcome = try Program.run(
      ["run", "--tree", "--chdir", "e.tar", "--", "sh", "-c", "ls -A; cat good"], beside: ["e.tar": archive])
    #expect(outcome.output == "good\ngood\n")
    #expect(outcome.errors.text.split(separator: "\n").count { $0.contains("left out") } == 3)
  }

  @Test func `A command that is killed leaves no mount and no process`() throws {
    let before = try Command("cat", "/proc/self/mounts").run()
    let running = try Program.command(
      "run", "--tree", "--at", "/srv", "tree.tar.gz", "--", "sh", "-c", "kill -9 $$"
    ).start()
    #expect(try running.wait().end == .signal(9))
    #expect(try Command("cat", "/proc/self/mounts").run() == before)
  }

  @Test func `README's example works`() throws {
    let readme = try Repository.text(of: "README.md")
    let line = try #require(readme.split(separator: "\n").first { $0.hasPrefix("memarchive run --tree") })
    let command = line.split(separator: "#")[0].replacing("memarchive ", with: "$m ")
    let outcome = try Program.shell(ByteString(command.utf8), in: Fixture.directory + "/demo")
    #expect(outcome.end == .exit(0))
    #expect(outcome.output.text.contains("libgreet.so"))
  }

  // MARK: Other environments

  private let nobody: [ByteString] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
  private var isRoot: Bool { (try? Command("id", "-u").run().output) == "0\n" }

  @Test func `An ordinary user keeps his name`() throws {
    let archive = try ByteString.fixture("tree.tar.gz")
    // The build's directory may be closed to others: program and archive are reached by descriptors.
    var command = Command(
      (isRoot ? nobody : ["env"]) + [
        "sh", "-c",
        "exec \"$0\" run --tree --chdir - -- sh -c 'id -u; id -g; cat tree/hello.txt; touch x || stat -c %u:%g tree/hello.txt'",
        Program.path,
      ])
    command.input = .pipe(archive)
    let outcome = try command.run()
    let user: ByteString =
      isRoot ? "65534" : ByteString(try Command("id", "-u").run().output.values.dropLast())
    guard outcome.end != .exit(126), !outcome.errors.text.contains("cannot open shared object") else {
      return
    }
    #expect(outcome.end == .exit(0), "\(outcome)")
    #expect(outcome.output.lines.first == user)
    #expect(outcome.output.text.contains("Hello, sealed world."))
  }

  private func bubblewrapped(_ options: [ByteString], _ arguments: ByteString...) throws -> Outcome {
    var command = Command(
      ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"] + options + ["--", Program.path]
        + arguments)
    command.directory = Fixture.directory
    return try command.run()
  }

  @Test(arguments: [[], ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]] as [[ByteString]])
  func `Where every file system is read-only there are real paths all the same`(_ options: [ByteString])
    throws
  {
    let outcome = try bubblewrapped(
      ["--unshare-user"] + options, "run", "--tree", "--at", "/srv", "tree.tar.gz", "--", "sh", "-c",
      "realpath $1; cat $1", "sh", "{tree/hello.txt}")
    #expect(outcome == .done("/srv/tree/hello.txt\n" + Content.hello.bytes))
  }

  @Test func `If user namespaces are forbidden, the refused call is named`() throws {
    let outcome = try bubblewrapped(
      ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"], "run", "--tree", "tree.tar.gz", "--",
      "echo", "ran")
    #expect(outcome.end == .exit(125))
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains("unshare"), "\(outcome)")
    #expect(outcome.errors.text.contains("user.max_user_namespaces"), "\(outcome)")
  }

  #if arch(x86_64)
  @Test(arguments: [
    ("fsopen", 430), ("fsmount", 432), ("fsconfig", 431), ("move_mount", 429), ("open_tree", 428),
    ("mount_setattr", 442), ("unshare", 272),
  ])
  func `A call that a filter refuses is named, and the command does not run`(name: String, number: Int)
    throws
  {
    try expectRefusal(of: number, with: EPERM, says: "(\(name): ")
  }

  /// A rename or a mount by any process interferes each time.
  @Test func `An openat2 that must be retried forever is an error`() throws {
    try expectRefusal(of: 437, with: EAGAIN, says: ": Resource temporarily unavailable)")
  }

  private func expectRefusal(of number: Int, with error: CInt, says text: String) throws {
    // seccomp(2): the calls of this number get the error.
    let script: ByteString = """
      import ctypes, os, struct, sys
      libc = ctypes.CDLL(None, use_errno=True)
      code = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x50000 + int(sys.argv[2])),
              (0x06, 0, 0, 0x7fff0000)]
      text = b"".join(struct.pack("HBBI", *line) for line in code)
      lines = ctypes.create_string_buffer(text)
      program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(lines))
      assert libc.prctl(38, 1, 0, 0, 0) == 0
      assert libc.prctl(22, 2, program, 0, 0) == 0
      os.execv(sys.argv[3], sys.argv[3:])
      """
    let outcome = try Command([
      "python3", "-c", script, ByteString("\(number)".utf8), ByteString("\(error)".utf8), Program.path, "run",
      "--tree",
      "tree.tar.gz", "--", "echo", "ran",
    ]).run()
    #expect(outcome.end == .exit(125), "\(outcome)")
    #expect(outcome.output == "")
    #expect(outcome.errors.text.contains(text), "\(outcome)")
  }
  #endif
}
