// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Glibc
import Testing

@testable import MemArchive

struct JoinableThreadTests {
  /// Read when the thread has been joined.
  private final class Blocked: @unchecked Sendable { var signals: Set<CInt> = [] }

  @Test func `A thread blocks the host's signals, and none that it brings upon itself`() throws {
    let blocked = Blocked()
    try JoinableThread.start {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      blocked.signals = Set((1..<32).filter { sigismember(&mask, $0) == 1 })
    }.join()
    let own: Set = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]
    #expect(blocked.signals.isDisjoint(with: own))
    // SIGKILL and SIGSTOP cannot be.
    #expect(blocked.signals.union(own) == Set(1..<32).subtracting([SIGKILL, SIGSTOP]))
  }
}
#endif
