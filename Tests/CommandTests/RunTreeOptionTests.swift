import Glibc
import TestSupport
import Testing

/// What a tree of `run` may be besides all entries of one archive, read-only.
struct RunTreeOptionTests {
  private let archive = ByteString(
    Tar.archive(
      Tar.entry("d/old", Bytes("old\n".utf8)), Tar.entry("d/gone", [1]),
      Tar.entry("./top", Bytes("top\n".utf8)),
      Tar.entry("secret", Bytes("secret\n".utf8), userID: 65534, mode: 0o600)))

  private func run(_ arguments: ByteString..., and other: Bytes = []) throws -> Outcome {
    try Program.run(["run"] + arguments, beside: ["a.tar": archive, "b.tar": ByteString(other)])
  }

  @Test(arguments: [7, 0] as [Int32])
  func `Changes are listed when the command has ended, and its status is the program's`(_ status: Int32)
    throws
  {
    let script: ByteString = """
      cd $MEMARCHIVE_ROOT && echo new >> d/old && rm d/gone && echo x > 'd/a
      b' && exit \(status)
      """
    try withTemporaryDirectory { directory in
      try archive.write(to: directory + "/a.tar")
      let outcome = try Program.shell(
        "$m run --tree --changes list a.tar -- sh -c \"$1\"; echo $?; cat list", script, in: directory)
      #expect(outcome == .done("\(status)\n\\A d/a\\nb\nD d/gone\nM d/old\n"))
    }
  }

  @Test func `A command that a signal ends, and signals to the program`() throws {
    try withTemporaryDirectory { directory in
      try archive.write(to: directory + "/a.tar")
      let killed = try Program.shell(
        "$m run --tree --changes list a.tar -- sh -c 'kill -9 $$'; echo $?; cat list", in: directory)
      #expect(killed.output == "137\n")
      let passed = try Program.shell(
        """
        $m run --tree --changes list a.tar -- sh -c 'trap "exit 3" TERM; touch $MEMARCHIVE_ROOT/up; echo ready; while :; do sleep 0.05; done' > out &
        p=$!; while ! test -s out; do sleep 0.05; done; kill $p; wait $p; echo $?; cat list
        """, in: directory)
      #expect(passed.output == "3\nA up\n")
    }
  }

  @Test func `Nothing is written to the archive's files without being asked for`() throws {
    let script: ByteString = "echo x > $MEMARCHIVE_ROOT/top; cat $MEMARCHIVE_ROOT/top"
    #expect(try run("--tree", "--writable", "a.tar", "--", "sh", "-c", script) == .done("x\n"))
    #expect(try run("--tree", "a.tar", "--", "sh", "-c", script).output == "top\n")
  }

  @Test func `Several archives are one tree, in which later ones win or are refused`() throws {
    let other = Tar.archive(
      Tar.entry("top", Bytes("other\n".utf8)), Tar.entry("d/more", Bytes("more\n".utf8)))
    let list: ByteString = "cat top d/old d/more; touch x 2>/dev/null || echo read-only"
    let merged = try run(
      "--tree", "--also", "b.tar", "--merge", "--chdir", "a.tar", "--", "sh", "-c", list, and: other)
    #expect(merged == .done("other\nold\nmore\nread-only\n"))
    let refused = try run(
      "--tree", "--also", "b.tar", "--merge", "--reject-duplicates", "a.tar", "--", "true", and: other)
    #expect(refused.end == .exit(125))
    #expect(
      refused.errors.text.contains(
        "b.tar: entry \"top\": an archive before this one has an entry of this name"))
  }

  @Test(arguments: ["out", "d/../../etc", "/etc"])
  func `A link of one archive that leads out through another is left out`(_ target: String) throws {
    let other = Tar.archive(
      Tar.entry("out", type: "2", link: ".."), Tar.entry("link", type: "2", link: target),
      Tar.entry("through", type: "2", link: "step/../x"))
    let first = ByteString(Tar.archive(Tar.entry("step", type: "2", link: "."), Tar.entry("d/x", [1])))
    let outcome = try Program.run(
      "run", "-q", "--tree", "--also", "b.tar", "--merge", "--chdir", "a.tar", "--", "ls",
      beside: ["a.tar": first, "b.tar": ByteString(other)])
    #expect(outcome == .done("d\nstep\n"))
  }

  @Test func `A tree of some entries`() throws {
    let outcome = try run(
      "--tree", "--only", "d/o*", "--only", "top", "--chdir", "a.tar", "--", "find", "-type", "f")
    #expect(Set(outcome.output.lines) == ["./d/old", "./top"])
    #expect(try run("--tree", "--only", "none*", "a.tar", "--", "true").end == .exit(125))
  }

  @Test func `Links to the place of the tree lead into it`() throws {
    let links = Tar.archive(
      Tar.entry("d/f", Bytes("found\n".utf8)), Tar.entry("abs", type: "2", link: "/srv/d/f"),
      Tar.entry("dir", type: "2", link: "/srv/d"), Tar.entry("near", type: "2", link: "/srvx"),
      Tar.entry("up", type: "2", link: "/srv/.."), Tar.entry("through", type: "2", link: "dir/../../x"))
    let outcome = try Program.run(
      "run", "-q", "--tree", "--at", "/srv", "--chdir", "l.tar", "--", "sh", "-c", "cat abs dir/f; ls",
      beside: ["l.tar": ByteString(links)])
    #expect(outcome == .done("found\nfound\nabs\nd\ndir\n"))
  }

  @Test func `A link that leads out is made on request, and otherwise the error says how`() throws {
    let links = ByteString(Tar.archive(Tar.entry("sh", type: "2", link: "/bin/sh")))
    let kept = try Program.run(
      "run", "--tree", "--links", "keep", "l.tar", "--", "{sh}", "-c", "echo ran", beside: ["l.tar": links])
    #expect(kept == .done("ran\n"))
    let left = try Program.run("run", "-q", "--tree", "l.tar", "--", "{sh}", beside: ["l.tar": links])
    #expect(left.end == .exit(2))
    #expect(left.errors.text.contains("--links keep"))
  }

  @Test(.enabled(if: geteuid() == 0, "only root gives files away"))
  func `A daemon that drops privileges reads its own file`() throws {
    let cat: [ByteString] = ["setpriv", "--reuid=65534", "--clear-groups", "cat", "{secret}"]
    func run(_ options: ByteString...) throws -> Outcome {
      try Program.run(["run", "--tree"] + options + ["a.tar", "--"] + cat, beside: ["a.tar": archive])
    }
    #expect(try run().end == .exit(1))
    #expect(try run("--same-owner") == .done("secret\n"))
    #expect(try run("--owner", "65534:65534") == .done("secret\n"))
    #expect(try run("--owner", "self").end == .exit(1))
    #expect(try run("--owner", "nobody").end == .exit(2))
  }

  @Test(
    arguments: [
      ["--at", "/srv"], ["--merge"], ["--only", "x"], ["--writable"], ["--changes", "list"],
      ["--links", "keep"],
      ["--same-owner"], ["--owner", "self"], ["--reject-duplicates"],
    ] as [[ByteString]])
  func `What concerns a tree needs one`(_ options: [ByteString]) throws {
    let outcome = try Program.run(["run"] + options + ["tree.tar.gz", "--", "true"])
    #expect(outcome.end == .exit(2))
    #expect(outcome.errors.text.contains("\(options[0]) needs --tree."))
  }

  @Test func `The list of changes is a file's`() throws {
    let outcome = try run("--tree", "--changes", "-", "a.tar", "--", "true")
    #expect(outcome.end == .exit(2))
    #expect(outcome.errors.text.contains("--changes takes a file"))
  }

  // MARK: Without a tree

  @Test(arguments: [[], ["--hold"]] as [[ByteString]])
  func `A file has the name that a command looks at`(_ options: [ByteString]) throws {
    let outcome = try Program.run(
      ["run"] + options + [
        "tree.tar.gz", "--", "sh", "-c", "case $1 in */x.ttf) cat $1;; esac; cat $2", "sh",
        "{tree/hello.txt:as=x.ttf}",
        "{tree/hello.txt}",
      ])
    #expect(outcome == .done(Content.hello.bytes * 2))
  }

  @Test func `A command gets the number of a descriptor, and ${ is the shell's`() throws {
    let outcome = try Program.run(
      "run", "tree.tar.gz", "--", "sh", "-c", "n=${0#x}; cat <&\"$1\"; echo ${n}", "xy", "{#tree/hello.txt}")
    #expect(outcome == .done(Content.hello.bytes + "y\n"))
    #expect(try Program.run("run", "--tree", "tree.tar.gz", "--", "cat", "{#tree/hello.txt}").end == .exit(2))
  }

  @Test(
    arguments: [([], "400"), (["--mode", "640"], "640"), (["--hold"], "400"), (["--tree"], "600")]
      as [([ByteString], ByteString)])
  func `A key has its permissions`(_ options: [ByteString], _ mode: ByteString) throws {
    let outcome = try Program.run(
      ["run"] + options + ["a.tar", "--", "stat", "-Lc", "%a", "{secret}"], beside: ["a.tar": archive])
    #expect(outcome == .done(mode + "\n"))
  }
}
