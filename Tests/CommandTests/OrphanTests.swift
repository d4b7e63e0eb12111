import Glibc
import TestSupport
import Testing

/// A process 1 that reaps no orphans, as in many containers, must not accumulate this program's.
@Suite(.enabled(if: PidNamespace.isPossible, "no pid namespace can be made here"))
struct OrphanTests {
  @Test(
    arguments: [
      ["list", "tar-ustar.tar"], ["digest", "tree.tar.gz"], ["test", "zip-deflated.zip", "7z-lzma2.7z"],
      ["test", "--jobs", "3", "zip-deflated.zip", "nowhere", "7z-lzma2.7z", "tree.tar.gz", "big.tar.zst"],
      ["cat", "tar-ustar.tar", "tree/hello.txt"], ["cat", "tar-ustar.tar", "no such entry"],
      ["test", "--max-total", "1", "tree.tar.gz"], ["test", "--timeout", "0.000001", "big.tar.zst"],
      ["each", "zip-deflated.zip", "nowhere", "7z-lzma2.7z", "--", "true"],
      ["each", "zip-deflated.zip", "tree.tar.gz", "--jobs", "3", "--", "nowhere"],
      ["list", "nowhere"], ["list", "table.json"], ["run", "tree.tar.gz", "--", "true", "{tree/hello.txt}"],
    ] as [[ByteString]])
  func `An archive that is read leaves no process that nobody reaps`(_ arguments: [ByteString]) throws {
    #expect(try PidNamespace.zombies(after: [Program.path] + arguments) == [])
  }

  @Test(
    arguments: [
      "$0 cat zip-3mib.zip big.txt > /dev/full", "$0 list tar-300-entries.tar.gz > /dev/full",
      "$0 digest --json tar-300-entries.tar.gz >&-", "$0 cat zip-3mib.zip big.txt | true",
      "$0 list tar-300-entries.tar.gz | true",
      "$0 test -v --jobs 4 tar-300-entries.tar.gz big.tar.zst zip-3mib.zip tree.tar.gz 2>&1 | true",
      "$0 list -v tar-300-entries.tar.gz 2>&1 | true",
    ] as [ByteString])
  func `Output that cannot be written leaves none either`(_ line: ByteString) throws {
    #expect(try PidNamespace.zombies(after: ["sh", "-c", line, Program.path]) == [])
  }

  /// Whoever has to outlive the command has no parent left that could reap it.
  @Test(arguments: ["--hold", "--tree"] as [ByteString])
  func `What outlives the command leaves one, and not more`(_ way: ByteString) throws {
    let run: [ByteString] = [Program.path, "run", way, "tree.tar.gz", "--", "true", "{tree/hello.txt}"]
    #expect(try PidNamespace.zombies(after: run) == ["memarchive-hold"])
  }

  @Test func `A command that is executed gets SIGPIPE as the program was started with it`() throws {
    let look: [ByteString] = ["run", "-q", "tree.tar.gz", "--", "grep", "SigIgn", "/proc/self/status"]
    for signals in [["--default-signal=PIPE"], ["--ignore-signal=PIPE"]] as [[ByteString]] {
      let expected = try Command(["env"] + signals + ["grep", "SigIgn", "/proc/self/status"]).run()
      let found = try Command(["env"] + signals + [Program.path] + look).run()
      #expect(found == expected)
    }
  }
}
