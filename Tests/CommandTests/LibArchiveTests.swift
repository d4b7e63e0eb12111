import TestSupport
import Testing

/// libarchive is loaded by the process that reads by it, and not before it must, as strace(1) shows.
@Suite(.enabled(if: Trace.isPossible, "strace cannot attach to a process here"))
struct LibArchiveTests {
  /// How often libarchive was opened, and a worker forked, by `test` of a fixture.
  private func loads(_ fixture: ByteString, _ options: ByteString...) throws -> (library: Int, worker: Int) {
    let trace = try Trace(of: [Program.path, "test", "-q"] + options + [fixture])
    #expect(trace.outcome.end == .exit(0), "\(trace.outcome)")
    func count(_ call: String, _ file: String) -> Int {
      trace.calls.filter { $0.contains(call) && $0.contains(file) && !$0.contains(" = -1 ") }.count
    }
    // Of each worker, once; a template, which is executed, does not.
    return (count("openat(", "/libarchive.so.13\""), count("prctl(PR_SET_NAME, ", "\"memarchive-work\""))
  }

  @Test(arguments: ["zip-deflated.zip", "tar-ustar.tar", "cpio-newc.cpio.gz", "7z-lzma2.7z"] as [ByteString])
  func `What is read without libarchive does not load it`(fixture: ByteString) throws {
    #expect(try loads(fixture, "--sandbox", "off") == (0, 0))
  }

  @Test(arguments: ["zip-lzma.zip", "odd/rar/rar5-links.rar"] as [ByteString])
  func `What is read by libarchive loads it once`(fixture: ByteString) throws {
    #expect(try loads(fixture, "--sandbox", "off", "--formats", "all") == (1, 0))
  }

  @Test func `Without a descriptor for it, that is said, and not that it is missing`() throws {
    // A file that is not read at once, so that its descriptor is open.
    let outcome = try withTemporaryDirectory { directory in
      try Program.shell(
        """
        head -c 70000 /dev/zero | cat odd/rar/rar15.rar - >\(directory)/large.rar
        ulimit -n 4; $m test --sandbox off --formats all \(directory)/large.rar 4<&-
        """)
    }
    #expect(outcome.end == .exit(4))
    #expect(
      outcome.errors.text.contains("no descriptor is left while loading libarchive"), "\(outcome.errors)")
  }

  @Test func `A worker that reads a zip does not load it`() throws {
    #expect(try loads("zip-deflated.zip", "--sandbox", "required") == (0, 1))
  }

  @Test func `A worker that could not load it any more is followed by one that has`() throws {
    #expect(try loads("zip-lzma.zip", "--sandbox", "required") == (1, 2))
  }

  @Test(arguments: ["odd/rar/rar5-links.rar", "odd/iso/joliet.iso.gz"] as [ByteString])
  func `The worker alone loads it, and at once where no zip is recognized`(fixture: ByteString) throws {
    #expect(try loads(fixture, "--sandbox", "required") == (1, 1))
  }
}
