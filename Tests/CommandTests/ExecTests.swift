import TestSupport
import Testing

/// `run --exec`: the command itself is in the archive.
struct ExecTests {
  @Test func `A script is executed, with its name and arguments`() throws {
    try Program.expect("run", "tree.tar.gz", "--exec", "tree/run.sh", gives: .done("run\n"))
    try withArchive { (run: Runner) throws in
      let outcome = try run(["--exec", "bin/script", "--", "a b", "{bin/data}"])
      let shape = #/bin/script says: /proc/self/fd/\d+ a b data\n/#
      #expect(outcome.end == .exit(0) && outcome.errors == "")
      #expect(try shape.wholeMatch(in: outcome.output.text) != nil, "\(outcome)")
    }
  }

  @Test func `A machine program is executed by its descriptor, which it does not inherit`() throws {
    try withArchive { (run: Runner) throws in
      #expect(try run(["--exec", "bin/own", "--", "%s %s\\n", "of", "{{its own"]) == .done("of {its own\n"))
      #expect(try run(["--exec", "bin/link", "--", "x"]) == .done("x"))
      let open = try run(["--exec", "bin/find", "--", "/proc/self/fd", "-lname", "/memfd:*"])
      #expect(open == .done())
      let name = try run(["--exec", "bin/find", "--", "/proc/self/cmdline", "-printf", "%f"])
      #expect(name == .done("cmdline"))
    }
  }

  @Test func `A machine program runs without /proc`() throws {
    try withArchive { (run: Runner) throws in
      let outcome = try run(
        ["--exec", "bin/own", "--", "without"],
        ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/proc", "--dev", "/dev", "--"])
      #expect(outcome == .done("without"))
    }
  }

  /// `vm.memfd_noexec`, set for the test's own pid namespace.
  @Test(.enabled(if: ExecPolicy.canBeSet, "vm.memfd_noexec cannot be set here"), arguments: [1, 2])
  func `Where the system forbids executable files in memory, all but executing works`(_ policy: Int) throws {
    for sandbox in ["required", "off"] as [ByteString] {
      let expected = try Program.run("digest", "--sandbox", sandbox, "zip-deflated.zip")
      let outcome = try ExecPolicy.run(policy, ["digest", "--sandbox", sandbox, "zip-deflated.zip"])
      #expect(outcome == expected)
      let script = try ExecPolicy.run(
        policy, ["run", "--sandbox", sandbox, "tree.tar.gz", "--exec", "tree/run.sh"])
      if policy == 1 {
        #expect(script == .done("run\n"))
      } else {
        #expect(script.end == .exit(125) && script.output == "")
        #expect(script.errors.text.contains("vm.memfd_noexec"), "\(script.errors)")
      }
    }
  }

  @Test func `With --hold the script is opened in the holder`() throws {
    try withArchive { (run: Runner) throws in
      let outcome = try run(["--hold", "--exec", "bin/script", "--", "a", "{bin/data}"])
      let shape = #/bin/script says: /proc/\d+/fd/\d+ a data\n/#
      #expect(outcome.end == .exit(0) && outcome.errors == "")
      #expect(try shape.wholeMatch(in: outcome.output.text) != nil, "\(outcome)")
      #expect(try run(["--hold", "--exec", "bin/own", "--", "x"]) == .done("x"))
    }
  }

  @Test func `With --tree, script and program are executed at their real paths`() throws {
    try withArchive { (run: Runner) throws in
      let tree: [ByteString] = ["--tree", "--at", "/srv"]
      // Here the modes say what may be executed.
      #expect(try run(tree + ["--exec", "bin/data"]).end == .exit(126))
      let script = try run(tree + ["--exec", "bin/script", "--", "a b", "{bin/data}"])
      #expect(script == .done("bin/script says: /srv/bin/script a b data\n"))
      #expect(try run(tree + ["--exec", "bin/own", "--", "%s", "own"]) == .done("own"))
      #expect(try run(tree + ["--exec", "bin/link", "--", "x"]) == .done("x"))
      let path = try run(tree + ["--exec", "bin/find", "--", "/proc/self/exe", "-printf", "%l"])
      #expect(path == .done("/srv/bin/find"))
      #expect(try run(tree + ["--exec", "bin/sh", "--", "-c", "exit 3"]).end == .exit(3))
      #expect(try run(tree + ["--exec", "bin/lost"]).end == .exit(127))
      #expect(try run(tree + ["--exec", "bin/owm"]).end == .exit(2))
    }
  }

  @Test(arguments: [0, 3, 255] as [Int32])
  func `Its exit status is the program's`(status: Int32) throws {
    try withArchive { (run: Runner) throws in
      #expect(try run(["--exec", "bin/sh", "--", "-c", "exit \(status)"]).end == .exit(status))
      #expect(try run(["--exec", "bin/sh", "--", "-c", "kill -9 $$"]).end == .signal(9))
    }
  }

  @Test func `A file that is not a program, is missing or has no interpreter is reported`() throws {
    try withArchive { (run: Runner) throws in
      let missing = try run(["--exec", "bin/owm"])
      #expect(missing.end == .exit(2))
      #expect(missing.errors.text.contains("Did you mean \"bin/own\""), "\(missing)")
      #expect(try run(["--exec", "bin/lost"]).end == .exit(127))
      #expect(try run(["--exec", "bin/"]).end == .exit(2))
    }
    let none = try Program.run("run", "tree.tar.gz")
    #expect(none.end == .exit(2))
    #expect(none.errors.lines.first == "memarchive: Give the command after --, or use --exec.")
  }

  /// Calls `body` with a function that runs the program on an archive of programs, after a command prefix.
  private func withArchive(_ body: (Runner) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let script: ByteString = """
        mkdir bin && cp /usr/bin/printf bin/own && cp /usr/bin/find bin/find && cp /bin/sh bin/sh && ln -s own bin/link
        printf '#!/bin/sh\\necho "bin/script says: $0 $1 $(cat $2)"\\n' > bin/script
        printf '#!/nowhere/interpreter\\n' > bin/lost
        chmod 755 bin/script bin/lost
        printf data > bin/data
        tar -cf bin.tar bin
        """
      var making = Command("sh", "-c", script)
      making.directory = directory
      let made = try making.run()
      try #require(made == .done())
      try body(Runner(directory: directory))
    }
  }

  private struct Runner {
    let directory: String

    func callAsFunction(_ arguments: [ByteString], _ prefix: [ByteString] = []) throws -> Outcome {
      var command = Command(prefix + [Program.path, "run", "bin.tar"] + arguments)
      command.directory = directory
      return try command.run()
    }
  }
}

/// The system's policy on executable files in memory, memfd_create(2).
private enum ExecPolicy {
  static let canBeSet = (try? run(2, ["--help"]))?.end == .exit(0)

  /// Runs the program under this policy; it cannot be taken back there, and is nobody else's.
  static func run(_ policy: Int, _ arguments: [ByteString]) throws -> Outcome {
    let set: ByteString = "echo $0 > /proc/sys/vm/memfd_noexec && exec \"$@\""
    var command = Command(
      ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", set, "\(policy)", Program.path] + arguments)
    command.directory = Fixture.directory
    return try command.run()
  }
}
