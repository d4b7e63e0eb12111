import Foundation
import Glibc
import TestSupport
import Testing

/// `each` is stopped, and resumed by `--journal`.
struct EachJournalTests {
  /// Two archives of ten entries each, and a command that appends an entry's name to the file "log".
  private func withArchives(_ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      for name in ["a", "b"] {
        let entries = (0..<10).map { ByteString.entry("\(ByteString(name.utf8))\($0)", "x") }
        try ByteString.tar(entries.reduce("", +)).write(to: "\(directory)/\(name).tar")
      }
      try body(directory)
    }
  }

  private static let names = ["a", "b"].flatMap { name in (0..<10).map { "\(name)\($0)" } }

  private func each(_ directory: String, jobs: ByteString = "1", _ script: ByteString) -> Command {
    var command = Program.command(
      "each", "a.tar", "b.tar", "--journal", "journal", "--jobs", jobs, "--", "sh", "-c", script)
    command.directory = directory
    return command
  }

  private func log(_ directory: String) throws -> [String] {
    try ByteString(contentsOfFile: directory + "/log").lines.map(\.text)
  }

  @Test func `What is done is not done again, and its exit status is the same`() throws {
    try withArchives { directory in
      let command = each(directory, "echo $MEMARCHIVE_NAME >> log; [ $MEMARCHIVE_NAME != a3 ]")
      for _ in 0..<2 {
        let outcome = try command.run()
        #expect(outcome == .failed(123, errors: ""))
      }
      #expect(try log(directory) == Self.names)
    }
  }

  @Test(arguments: ["1", "3"] as [ByteString])
  func `Killed again and again, it loses nothing, and does nothing twice that had ended`(jobs: ByteString)
    throws
  {
    try withArchives { directory in
      // Each of these kills the program once.
      let script: ByteString = """
        echo $MEMARCHIVE_NAME >> log
        case $MEMARCHIVE_NAME in a2|a7|b0|b5) mkdir $MEMARCHIVE_NAME 2>/dev/null && kill -9 $PPID;; esac; :
        """
      let command = each(directory, jobs: jobs, script)
      var kills = 0
      while true {
        let outcome = try command.run()
        if outcome.end == .exit(0) { break }
        #expect(outcome.end == .signal(SIGKILL), "\(outcome)")
        kills += 1
        try #require(kills <= 4)
      }
      // Several at once may be ended by one.
      #expect(jobs == "1" ? kills == 4 : kills >= 1)
      let done = try log(directory)
      #expect(Set(done) == Set(Self.names))
      if jobs == "1" {
        #expect(done.filter { !["a2", "a7", "b0", "b5"].contains($0) }.count == 16)
        #expect(done.count == 24)
      } else {
        // What ran beside it.
        #expect(done.count <= 20 + 3 * kills, "\(done)")
      }
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func `A signal lets a command end, and begins no other`(signal: Int32) throws {
    try withArchives { directory in
      for name in ["begun", "go"] { try #require(mkfifo("\(directory)/\(name)", 0o600) == 0) }
      let script: ByteString = """
        if [ $MEMARCHIVE_NAME = a4 ] && [ ! -e stopped ]; then
          : > stopped; echo > begun; read x < go
        fi
        echo $MEMARCHIVE_NAME >> log; echo $MEMARCHIVE_NAME
        """
      let command = each(directory, script)
      let running = try command.start()
      _ = try FileHandle(forReadingAtPath: directory + "/begun")?.readToEnd()
      kill(running.pid, signal)
      // A command that runs is not waited for without end: the second signal would end the program.
      try #require(FileHandle(forWritingAtPath: directory + "/go")).close()
      let outcome = try running.wait()
      #expect(outcome.end == .signal(signal), "\(outcome)")
      // Whether the signal came before the command's end is the system's affair, but the command was not cut off.
      #expect(outcome.output.text.contains("a4\n") && outcome.errors == "", "\(outcome)")
      let before = try log(directory)
      #expect(before.count < 20 && before == Array(Self.names.prefix(before.count)), "\(before)")
      #expect(try command.run().end == .exit(0))
      #expect(try log(directory) == Self.names)
    }
  }

  @Test func `A command that the same signal ended is not done`() throws {
    try withArchives { directory in
      try #require(mkfifo("\(directory)/begun", 0o600) == 0)
      let script: ByteString = """
        if [ $MEMARCHIVE_NAME = a4 ] && [ ! -e stopped ]; then
          : > stopped; echo > begun; exec sleep 60
        fi
        echo $MEMARCHIVE_NAME >> log
        """
      let command = each(directory, script)
      let running = try command.start()
      _ = try FileHandle(forReadingAtPath: directory + "/begun")?.readToEnd()
      // As a terminal does, to the whole group.
      kill(-running.pid, SIGINT)
      #expect(try running.wait().end == .signal(SIGINT))
      #expect(try command.run().end == .exit(0))
      #expect(try log(directory) == Self.names)
    }
  }

  @Test func `An archive that has changed is another`() throws {
    try withArchives { directory in
      let command = each(directory, "echo $MEMARCHIVE_NAME >> log")
      #expect(try command.run() == .done())
      try ByteString.tar(.entry("new", "x")).write(to: directory + "/b.tar")
      #expect(try command.run() == .done())
      #expect(try log(directory) == Self.names + ["new"])
    }
  }

  @Test func `A bad archive is noted, and one that is not there is looked for again`() throws {
    try withArchives { directory in
      try ByteString("no archive").write(to: directory + "/a.tar")
      try FileManager.default.moveItem(atPath: directory + "/b.tar", toPath: directory + "/c.tar")
      let command = each(directory, "echo $MEMARCHIVE_NAME >> log")
      let first = try command.run()
      #expect(first.end == .exit(4))
      #expect(first.errors.lines.count == 2, "\(first)")
      try FileManager.default.moveItem(atPath: directory + "/c.tar", toPath: directory + "/b.tar")
      let second = try command.run()
      #expect(second == .failed(1, errors: ""))
      #expect(try log(directory) == Array(Self.names.suffix(10)))
    }
  }

  @Test func `A last line that is cut off was not noted`() throws {
    try withArchives { directory in
      let command = each(directory, "echo $MEMARCHIVE_NAME >> log")
      #expect(try command.run() == .done())
      let whole = try ByteString(contentsOfFile: directory + "/journal")
      let lines = whole.lines
      // The request, a0 to a9 and that a.tar is done, b0 to b9 and b.tar.
      #expect(lines.count == 23)
      let kept = ByteString(lines.prefix(15).map(\.values).joined(separator: [0x0A])) + "\n"
      for rest in [[], Bytes(lines[15].values.dropLast(9)), [0, 0, 0]] as [Bytes] {
        try (kept + ByteString(rest)).write(to: directory + "/journal")
        try FileManager.default.removeItem(atPath: directory + "/log")
        #expect(try command.run() == .done())
        #expect(try log(directory) == Array(Self.names.suffix(7)))
        #expect(try ByteString(contentsOfFile: directory + "/journal").lines.count == 23)
      }
      // The program was killed while it made the file.
      try ByteString(lines[0].values.dropLast(5)).write(to: directory + "/journal")
      try FileManager.default.removeItem(atPath: directory + "/log")
      #expect(try command.run() == .done())
      #expect(try log(directory) == Self.names)
    }
  }

  @Test func `Another file, or the journal of something else, is refused and stays as it is`() throws {
    try withArchives { directory in
      let command = each(directory, "echo $MEMARCHIVE_NAME >> log")
      for text in ["some text\n", "no line", "{}\n"] as [ByteString] {
        try text.write(to: directory + "/journal")
        let outcome = try command.run()
        #expect(outcome.end == .exit(2) && outcome.errors.text.contains("no journal"), "\(outcome)")
        #expect(try ByteString(contentsOfFile: directory + "/journal") == text)
      }
      try FileManager.default.removeItem(atPath: directory + "/journal")
      #expect(try command.run() == .done())
      let journal = try ByteString(contentsOfFile: directory + "/journal")
      let other = try each(directory, "true").run()
      #expect(other.end == .exit(2) && other.errors.text.contains("another command"), "\(other)")
      #expect(try ByteString(contentsOfFile: directory + "/journal") == journal)
    }
  }

  @Test func `What is no file is refused, and a full disk ends it`() throws {
    try withArchives { directory in
      for journal in ["/dev/full", "."] as [ByteString] {
        var command = Program.command("each", "a.tar", "--journal", journal, "--", "true")
        command.directory = directory
        let outcome = try command.run()
        #expect(outcome.end != .exit(0) && outcome.errors.lines.count == 1, "\(outcome)")
      }
      let full = try Program.shell(
        """
        trap '' XFSZ; ulimit -f 1
        exec $m each a.tar b.tar --journal journal --jobs 1 -- sh -c 'echo $MEMARCHIVE_NAME >> log'
        """, in: directory)
      #expect(full.end == .exit(4) && full.errors.lines.count == 1, "\(full)")
      #expect(try log(directory).count < 20)
      let rest = try each(directory, "echo $MEMARCHIVE_NAME >> log").run()
      #expect(rest == .done())
      let names = try log(directory)
      // That of which no note could be made is done again.
      #expect(Set(names) == Set(Self.names) && names.count == 21, "\(names)")
    }
  }

  @Test func `Two programs do not use one journal`() throws {
    try withArchives { directory in
      try #require(mkfifo("\(directory)/begun", 0o600) == 0)
      try #require(mkfifo("\(directory)/go", 0o600) == 0)
      let command = each(directory, "[ $MEMARCHIVE_NAME != a0 ] || { echo > begun; read x < go; }; :")
      let running = try command.start()
      _ = try FileHandle(forReadingAtPath: directory + "/begun")?.readToEnd()
      let other = try command.run()
      #expect(other.end == .exit(4) && other.errors.text.contains("another memarchive"), "\(other)")
      try #require(FileHandle(forWritingAtPath: directory + "/go")).close()
      #expect(try running.wait().end == .exit(0))
    }
  }

  @Test func `What cannot be read again, or is named twice, has no journal`() throws {
    for archives in [["-"], ["tree.tar.gz", "tree.tar.gz"], ["/dev/stdin"]] as [[ByteString]] {
      try withTemporaryDirectory { directory in
        let journal = ByteString("\(directory)/journal".utf8)
        let outcome = try Program.run(
          ["each"] + archives + ["--journal", journal, "--", "true"],
          input: .pipe(try ByteString.fixture("tree.tar.gz")))
        #expect(outcome.end == .exit(2), "\(outcome)")
        #expect(!FileManager.default.fileExists(atPath: directory + "/journal"))
      }
    }
  }
}
