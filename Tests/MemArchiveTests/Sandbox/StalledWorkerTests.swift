// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// A stalled worker.
struct StalledWorkerTests {
  @Test func `A worker that was stopped is ended when it has been silent for long enough`() async {
    await #expect(processExitsWith: .success) {
      let context = ExtractionContext(
        ExtractionOptions(sandbox: .required), hooks: .init(longestSilence: 300))
      let archive = Tar.archive(Tar.entry("a", [1, 2, 3]), Tar.entry("b", [4]))
      var stream = try ArchiveReader(bytes: archive).stream(in: context)
      guard try stream.next() != nil, let pair = Family.workers(named: "worker").first else { exit(1) }
      kill(pair.worker, SIGSTOP)
      do {
        _ = try stream.next()
        exit(2)
      } catch let error as ArchiveError {
        guard error.code == .timedOut, error.reason.contains("0.3 seconds") else { exit(3) }
      }
      guard !Family.lives(pair.worker), Family.lives(pair.template) else { exit(4) }
      exit(try stream.next() == nil ? 0 : 5)
    }
  }
}
#endif
