import Foundation
import Glibc
import TestSupport
import Testing

/// `each`: a command for each file of archives.
struct EachTests {
  /// A command that prints a line as `digest` does.
  private static let digest: [ByteString] = [
    "--", "sh", "-c", "printf '%s  %s\\n' \"$(sha256sum < \"$1\" | cut -c1-64)\" \"$MEMARCHIVE_NAME\"", "sh",
    "{}",
  ]

  private func sorted(_ bytes: ByteString) -> [String] { bytes.lines.map(\.description).sorted() }

  @Test(
    arguments: ["tree.tar.gz", "zip-deflated.zip", "7z-lzma2.7z", "cpio-newc.cpio", "tar-latin1-name.tar"],
    ["off", "required"] as [ByteString])
  func `The command has each file by a path, and its name as it is`(archive: String, sandbox: ByteString)
    throws
  {
    let name = ByteString(archive.utf8)
    let expected = try Program.run("digest", name)
    #expect(expected.end == .exit(0) && !expected.output.lines.isEmpty)
    let one = try Program.run(["each", name, "--sandbox", sandbox, "--jobs", "1"] + Self.digest)
    #expect(one == expected)
    let several = try Program.run(["each", name, "--sandbox", sandbox, "--jobs", "4"] + Self.digest)
    #expect(several.end == .exit(0) && several.errors == "")
    #expect(sorted(several.output) == sorted(expected.output))
  }

  @Test func `The environment says what the archive says of the entry`() throws {
    let archive = ByteString.tar(ByteString.entry("a b", "12345", modified: 1_600_000_000))
    let outcome = try Program.run(
      "each", "-", "--", "sh", "-c", "env | grep ^MEMARCHIVE_ | sort; cat", input: .pipe(archive))
    let expected: ByteString = """
      MEMARCHIVE_ARCHIVE=-
      MEMARCHIVE_MODE=0644
      MEMARCHIVE_MTIME=1600000000
      MEMARCHIVE_NAME=a b
      MEMARCHIVE_SIZE=5
      12345
      """
    #expect(outcome == .done(expected))
  }

  @Test func `Variables of a run around it are not those of an entry`() throws {
    var command = Program.command("each", "hello.txt.xz", "--", "sh", "-c", "echo $MEMARCHIVE_MODE.$OTHER")
    command.environment = ["MEMARCHIVE_MODE": "0777", "OTHER": "x"]
    #expect(try command.run() == .done(".x\n"))
  }

  @Test func `Braces other than {} are the command's own, and {} may stand anywhere in a word`() throws {
    let outcome = try Program.run(
      "each", "hello.txt.gz", "--", "awk", "{print FILENAME ~ /^.proc.self.fd.[0-9]+$/, $1}", "{}", "")
    #expect(outcome.end == .exit(0))
    #expect(outcome.output == "1 Hello,\n")
    let word = try Program.run(
      "each", "hello.txt.gz", "--", "printf", "%.10s|", "<{}>{}", "{NAME}", "", "--", "-x")
    #expect(word == .done("</proc/sel|{NAME}||--|-x|"))
  }

  @Test func `Without {} the entry is standard input, and with it that is empty`() throws {
    #expect(try Program.run("each", "hello.txt.gz", "--", "cat") == .done(Content.hello.bytes))
    let text = Command.Input.pipe("from outside")
    let outcome = try Program.run("each", "hello.txt.gz", "--", "cat", "-", "{}", input: text)
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test func `Several entries at once are as many as fit, with a list of their names`() throws {
    let script: ByteString =
      "echo $#; tr '\\0' '\\n' < \"$MEMARCHIVE_NAMES\"; cat \"$@\" | wc -c; env | grep -c ^MEMARCHIVE_"
    let outcome = try Program.run(
      "each", "tar-300-entries.tar.gz", "--jobs", "1", "--", "sh", "-c", script, "sh", "{}+")
    let listed = try Program.run("list", "--json", "tar-300-entries.tar.gz")
    let entries = try JSONLines(listed.output).objects.filter { $0["kind"] == .text("file") }
    var lines = outcome.output.lines.map(\.text)[...]
    var (names, sizes): ([String], [Int]) = ([], [])
    while let count = lines.popFirst().flatMap({ Int($0) }), count > 0 {
      sizes.append(count)
      names += lines.prefix(count)
      lines = lines.dropFirst(count)
      #expect(Int(lines.popFirst() ?? "") != nil)
      #expect(lines.popFirst() == "2")
    }
    #expect(lines.isEmpty && outcome.end == .exit(0), "\(outcome)")
    #expect(names == entries.compactMap { if case .text(let name)? = $0["name"] { name } else { nil } })
    #expect(sizes.max() == 100)
    for command in [["{}+"], ["cat", "{}+", "{}"], ["cat", "{}+", "{}+"]] as [[ByteString]] {
      #expect(try Program.run(["each", "tree.tar.gz", "--"] + command).end == .exit(2))
    }
  }

  @Test(arguments: ["off", "required"] as [ByteString])
  func `No more entries are in memory than commands run`(sandbox: ByteString) throws {
    let script: ByteString = "find /proc/$PPID/fd -lname '/memfd:*' | wc -l"
    for jobs in [1, 3] {
      let outcome = try Program.run(
        "each", "tar-300-entries.tar.gz", "--sandbox", sandbox, "--jobs", "\(jobs)", "--", "sh", "-c",
        script, "sh", "{}")
      let counts = outcome.output.lines.compactMap { Int($0.text) }
      #expect(counts.count > 250)
      #expect(counts.max() ?? 0 <= jobs, "\(outcome)")
    }
  }

  @Test func `What a command writes is printed whole`() throws {
    // One more than may wait, and one less.
    for count in [200, 30_000] {
      let script: ByteString =
        "seq -f \"$MEMARCHIVE_NAME %06.0f of standard output\" \(count); echo \"$MEMARCHIVE_NAME\" end >&2"
      let outcome = try Program.run(
        "each", "tree.tar.gz", "zip-deflated.zip", "7z-lzma2.7z", "--jobs", "4", "--", "sh", "-c", script)
      #expect(outcome.end == .exit(0))
      let lines = outcome.output.lines
      #expect(lines.count == count * 12, "\(lines.count)")
      let isWhole = lines.indices.allSatisfy { index in
        lines[index].text.contains(" \(String(format: "%06d", index % count + 1)) of standard output")
          && lines[index].values.starts(with: lines[index - index % count].values.prefix { $0 != 0x20 })
      }
      #expect(isWhole)
      #expect(outcome.errors.lines.count == 12)
    }
  }

  @Test func `A bad archive ends neither the others nor what came before it`() throws {
    let archives: [ByteString] = ["tree.tar.gz", "nowhere.zip", "odd/zip/method-1.zip", "zip-deflated.zip"]
    for jobs in ["1", "4"] as [ByteString] {
      let outcome = try Program.run(["each"] + archives + ["--jobs", jobs] + Self.digest)
      #expect(outcome.end == .exit(4))
      let tree = try Program.run("digest", "tree.tar.gz").output
      let zip = try Program.run("digest", "zip-deflated.zip").output
      #expect(Set(sorted(outcome.output)).isSuperset(of: sorted(tree + zip)))
      #expect(outcome.errors.text.contains("memarchive: nowhere.zip: "))
      #expect(outcome.errors.text.contains("memarchive: odd/zip/method-1.zip: "))
    }
  }

  @Test(
    arguments: [
      (["tree.tar.gz", "--", "true"], 0), (["tree.tar.gz", "--", "false"], 123),
      (["tree.tar.gz", "--", "sh", "-c", "kill -9 $$"], 123), (["odd/tar/cut-header.tar", "--", "true"], 1),
      (["odd/tar/cut-header.tar", "tree.tar.gz", "--", "false"], 124), (["nowhere.zip", "--", "true"], 4),
      (["tree.tar.gz", "--max-entry", "10", "--", "true"], 3),
      (["tree.tar.gz", "--include", "none", "--", "true"], 2), (["tree.tar.gz"], 2), (["--", "true"], 2),
      (["tree.tar.gz", "--hold", "--", "true"], 2), (["tree.tar.gz", "--jobs", "0", "--", "true"], 2),
      (["tree.tar.gz", "--clamd", "x", "--", "true"], 2), (["tree.tar.gz", "--clamd", "nowhere"], 4),
      (["tree.tar.gz", "--", "/nowhere/command"], 127), (["tree.tar.gz", "--", "/"], 126),
    ] as [([ByteString], Int32)])
  func `The exit status says what was seen`(arguments: [ByteString], status: Int32) throws {
    let outcome = try Program.run(["each"] + arguments)
    #expect(outcome.end == .exit(status), "\(outcome)")
    #expect((outcome.errors == "") == [0, 123].contains(status), "\(outcome)")
    if status >= 126 { #expect(outcome.errors.lines.count == 1, "\(outcome)") }
  }

  @Test func `A command finds the files that closes descriptors`() throws {
    let script: ByteString = """
      import os, subprocess, sys
      os.closerange(3, 4096)
      subprocess.run(["cat", sys.argv[1]], check=True)
      """
    let outcome = try Program.run("each", "--hold", "hello.txt.gz", "--", "python3", "-c", script, "{}")
    #expect(outcome == .done(Content.hello.bytes))
  }

  @Test func `It finds several of them, and the list of their names`() throws {
    let script: ByteString = """
      import os, sys
      os.closerange(3, 4096)
      names = open(os.environ["MEMARCHIVE_NAMES"], "rb").read().split(b"\\0")
      print(len(names), b"tree/hello.txt" in names, sum(len(open(path, "rb").read()) for path in sys.argv[1:]))
      """
    let outcome = try Program.run("each", "--hold", "tree.tar.gz", "--", "python3", "-c", script, "{}+")
    #expect(outcome == .done("5 True 1520\n"))
  }

  @Test func `A low limit on descriptors is enough`() throws {
    let run: ByteString = "$m each tar-300-entries.tar.gz tree.tar.gz zip-deflated.zip -r --jobs 8 -- sh -c"
    let command: ByteString = "'for file; do cat $file | md5sum; done' sh"
    for (word, limit) in [("{}", "24"), ("{}", "200"), ("{}+", "90"), ("{}+", "200")]
      as [(ByteString, ByteString)]
    {
      let line = run + " " + command + " " + word
      let expected = try Program.shell(line)
      let outcome = try Program.shell("ulimit -n " + limit + "; " + line)
      #expect(outcome.end == .exit(0) && outcome.errors == "", "\(outcome)")
      #expect(sorted(outcome.output) == sorted(expected.output))
    }
  }

  @Test func `A file of several names is given once, with its content`() throws {
    let digest = try Program.run("digest", "cpio-newc-hardlink.cpio").output.lines
    let outcome = try Program.run(["each", "cpio-newc-hardlink.cpio", "--jobs", "1"] + Self.digest)
    #expect(outcome.end == .exit(0))
    #expect(!outcome.output.lines.isEmpty && outcome.output.lines.count < digest.count)
    #expect(outcome.output.lines.allSatisfy { digest.contains($0) }, "\(outcome)")
    // One that is empty, and one whose other names are not in the archive.
    let empty =
      Cpio.entry("a", [], inode: 7, links: 2) + Cpio.entry("b", [], inode: 7, links: 2)
      + Cpio.entry("c", [], inode: 8, links: 2) + Cpio.end
    let names = try Program.run(
      "each", "-", "--jobs", "1", "--", "sh", "-c", "echo $MEMARCHIVE_NAME $MEMARCHIVE_SIZE; cat $1", "sh",
      "{}",
      input: .pipe(ByteString(empty)))
    #expect(names == .done("a 0\nc 0\n"))
    // The content may be in what is missing.
    let cut = try Program.run("each", "-", "--", "echo", "x", input: .pipe(ByteString(empty.prefix(300))))
    #expect(cut.end == .exit(1) && cut.output == "", "\(cut)")
  }

  @Test func `Archives inside the archive are read with -r`() throws {
    let inner = ByteString.tar(.entry("leaf", "x"))
    let outer = ByteString.tar(.entry("in.tar", inner), .entry("after", "y"))
    let outcome = try Program.run(
      "each", "-r", "-", "--jobs", "1", "--", "sh", "-c", "echo $MEMARCHIVE_NAME", input: .pipe(outer))
    #expect(outcome == .done("in.tar\nin.tar/leaf\nafter\n"))
  }

  @Test func `A command has signals as this program was started with them`() throws {
    for signals in [["--default-signal=PIPE"], ["--ignore-signal=PIPE"]] as [[ByteString]] {
      let look: [ByteString] = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
      let expected = try Command(["env"] + signals + look).run()
      let found = try Command(["env"] + signals + [Program.path, "each", "hello.txt.gz", "--"] + look).run()
      #expect(found == expected)
    }
  }

  @Test func `A command inherits its own entries alone`() throws {
    let script: ByteString = "find /proc/$$/fd -mindepth 1 -lname '/memfd:*' | wc -l"
    for (word, count) in [("{}", "1"), ("{}+", "5")] as [(ByteString, String)] {
      let outcome = try Program.run(
        "each", "tree.tar.gz", "--jobs", "3", "--", "sh", "-c", script, "sh", word)
      let counts = Set(outcome.output.lines.map(\.text))
      #expect(counts == [count], "\(outcome)")
    }
  }

  @Test func `A closed standard stream is closed for the command, and no entry takes its place`() throws {
    for jobs in ["1", "2"] as [ByteString] {
      var command = Program.command(
        "each", "hello.txt.gz", "--jobs", jobs, "--", "sh", "-c",
        "test -e /proc/$$/fd/1 && echo open >&2; cat \"$1\" >&2", "sh", "{}")
      (command.input, command.output) = (.closed, .closed)
      let outcome = try command.run()
      // What is collected goes through a pipe.
      let expected = (jobs == "1" ? "" : "open\n") + Content.hello.bytes
      #expect(outcome.end == .exit(0) && outcome.errors == expected, "\(outcome)")
    }
  }

  @Test func `A reader who goes away ends it`() throws {
    for jobs in ["1", "2"] as [ByteString] {
      var command = Program.command("each", "-v", "tree.tar.gz", "--json", "--jobs", jobs, "--", "echo", "x")
      command.output = .brokenPipe
      #expect(try command.run().end == .signal(SIGPIPE))
    }
  }

  @Test func `What a command leaves running is not waited for`() throws {
    try withTemporaryDirectory { directory in
      let fifo = directory + "/fifo"
      try #require(mkfifo(fifo, 0o600) == 0)
      let outcome = try Program.run(
        "each", "hello.txt.gz", "--jobs", "2", "--", "sh", "-c",
        "{ read x < \(ByteString(fifo.utf8)); } & echo done")
      #expect(outcome == .done("done\n"))
      try #require(FileHandle(forWritingAtPath: fifo)).close()
    }
  }

  @Test func `A pipe that is named twice is read by one after another`() throws {
    let input = Command.Input.pipe(try ByteString.fixture("tree.tar.gz"))
    let outcome = try Program.run(
      ["each", "/dev/stdin", "/dev/stdin", "--jobs", "3"] + Self.digest, input: input)
    #expect(sorted(outcome.output) == sorted(try Program.run("digest", "tree.tar.gz").output), "\(outcome)")
  }

  @Test func `JSON has what a command wrote, and how it ended`() throws {
    let script: ByteString = """
      printf 'a\\377b\\n'; echo error >&2
      case $MEMARCHIVE_NAME in *hello*) exit 3;; *poem*) kill -9 $$;; esac
      """
    let outcome = try Program.run(
      "each", "--json", "tree.tar.gz", "nowhere.zip", "--jobs", "2", "--", "sh", "-c", script)
    #expect(outcome.end == .exit(124))
    let objects = try JSONLines(outcome.output).objects
    let entries = objects.filter { $0["event"] == .text("entry") }
    #expect(entries.allSatisfy { $0["output"] == .text("a\u{F7FF}b\n") }, "\(outcome)")
    for entry in entries {
      guard case .text(let name)? = entry["name"] else { continue }
      let (status, signal): (JSONLines.Value?, JSONLines.Value?) =
        name.hasSuffix("hello.txt")
        ? (.number(3), nil) : name.hasSuffix("poem.txt") ? (nil, .number(9)) : (.number(0), nil)
      #expect(entry["status"] == status && entry["signal"] == signal, "\(entry)")
    }
    #expect(Set(entries.map { $0["position"] }).count == entries.count)
    let errors = objects.filter { $0["event"] == .text("error") }
    #expect(errors.count == 1 && errors[0]["archive"] == .text("nowhere.zip"), "\(outcome)")
    let archives = objects.filter { $0["event"] == .text("archive") }
    #expect(Set(archives.map { $0["verdict"] }) == [.text("OK"), .text("FAILED")], "\(outcome)")
    let tree = archives.first { $0["archive"] == .text("tree.tar.gz") }
    #expect(tree?["files"] == .number(Int64(entries.count)), "\(outcome)")
  }

  @Test func `JSON has the beginning of what is long, and says so`() throws {
    let outcome = try Program.run(
      "each", "--json", "hello.txt.gz", "--jobs", "1", "--", "sh", "-c",
      "head -c 3000000 /dev/zero | tr '\\0' x")
    let entry = try #require(try JSONLines(outcome.output).objects.first { $0["event"] == .text("entry") })
    guard case .text(let text)? = entry["output"] else {
      Issue.record("no output")
      return
    }
    #expect(text.utf8.count == 1 << 20)
    #expect(entry["cut"] == .flag(true))
  }
}
