import Foundation
import TestSupport
import Testing

/// No file is created or opened for writing, as strace(1) shows.
@Suite(.enabled(if: Trace.isPossible, "strace cannot attach to a process here"))
struct DiskTests {
  static let commands: [[ByteString]] = [
    ["list", "tar-all-kinds.tar"], ["digest", "zip-deflated.zip"], ["digest", "7z-lzma2.7z"],
    ["digest", "tar-sparse-pax-1.0.tar"], ["digest", "rpm-xz.rpm"], ["cat", "zip-3mib.zip", "big.txt"],
    ["test", "--hold", "tar-300-entries.tar.gz", "big.tar.zst"], ["--version"],
    ["each", "tree.tar.gz", "zip-deflated.zip", "--jobs", "2", "--", "cat"],
    ["each", "tar-300-entries.tar.gz", "--json", "--", "cat", "{}+"],
    ["run", "demo/demo.zip", "--", "cat", "{CONTENTS.txt}"], ["run", "tree.tar.gz", "--", "{tree/run.sh}"],
  ]

  @Test(arguments: commands)
  func `Nothing on any disk is created or opened for writing`(arguments: [ByteString]) throws {
    let trace = try Trace(of: [Program.path] + arguments)
    #expect(trace.outcome.end == .exit(0))
    #expect(trace.calls.contains { $0.contains("execve(") })
    #expect(trace.changes == [])
  }

  @Test func `Entries from standard input need no file either`() throws {
    let trace = try Trace(
      of: [Program.path, "digest", "-"], input: .pipe(ByteString.fixture("zip-deflated.zip")))
    #expect(trace.outcome.end == .exit(0))
    #expect(trace.changes == [])
  }

  @Test func `Content goes to files in memory`() throws {
    let trace = try Trace(of: [Program.path, "digest", "zip-deflated.zip"])
    #expect(trace.calls.filter { $0.contains("memfd_create(") }.count >= 4)
  }

  @Test func `The trace would show a file that is made, moved or written`() throws {
    let script: ByteString = "echo > a; mv a b; cat < b >> b.txt; mkdir c; ln -s b d; rm b; rmdir c"
    try withTemporaryDirectory { directory in
      let trace = try Trace(of: ["sh", "-c", script], in: directory)
      let made = ["\"a\"", "\"b.txt\"", "\"c\"", "\"d\""]
      #expect(made.allSatisfy { name in trace.changes.contains { $0.contains(name) } }, "\(trace.changes)")
    }
  }
}

/// The calls of a command and its children that take a path, those that make files in memory, and prctl(2).
struct Trace {
  let outcome: Outcome
  let calls: [String]

  init(of arguments: [ByteString], input: Command.Input = .nothing, in directory: String = Fixture.directory)
    throws
  {
    (outcome, calls) = try withTemporaryDirectory { logs in
      let log = logs + "/log"
      var command = Command(
        ["strace", "-f", "-qq", "-s", "256", "-e", "trace=%file,memfd_create,prctl", "-o", "\(log)"]
          + arguments)
      command.input = input
      command.directory = directory
      let outcome = try command.run()
      return (outcome, try ByteString(contentsOfFile: logs + "/log").lines.map(\.text))
    }
  }

  /// The calls that change a file system: all except those known to be read-only.
  var changes: [String] {
    calls.filter { call in
      guard let name = call.firstMatch(of: #/^\d+ +(\w+)\(/#)?.1 else { return false }
      switch name {
      case "open", "openat", "openat2":
        // A worker's standard streams, and its oom_score_adj: neither is on a disk.
        if call.contains("\"/dev/null\"") || call.contains("\"/proc/self/oom_score_adj\"") { return false }
        return call.contains(#/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE/#)
      case "execve", "execveat", "access", "faccessat", "faccessat2", "stat", "lstat", "newfstatat", "statx",
        "readlink", "readlinkat", "getcwd", "chdir", "statfs", "getxattr", "lgetxattr", "memfd_create",
        "prctl":
        return false
      // The time of a file in memory, by its descriptor: those that were opened were looked at above.
      case "utimensat": return !call.contains(#/utimensat\(\d+, NULL,/#)
      default:
        return true
      }
    }
  }

  /// Whether a process may be traced here: if not, strace exits 1. Without strace, the tests fail.
  static let isPossible: Bool = {
    let outcome = try? Command("strace", "-f", "-qq", "-o", "/dev/null", "true").run()
    return outcome?.end != .exit(1)
  }()
}
