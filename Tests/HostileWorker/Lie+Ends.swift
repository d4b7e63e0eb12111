#if TESTABLE
import Glibc
import MemArchive

extension Lie {
  /// Ends, and none.
  static let ends: [Lie] = [
    Lie("a call that kills without a word") { liar in
      try liar.begin()
      kill(getpid(), SIGSYS)
    },
    Lie("a death without a word", .workerFailed) { liar in
      try liar.begin()
      _exit(3)
    },
    Lie("a crash", .workerFailed) { liar in
      try liar.begin()
      kill(getpid(), SIGSEGV)
    },
    Lie("a closed socket and a life after it", .workerFailed) { liar in
      try liar.begin()
      close(liar.socket)
    },
    Lie("a death before ready", .sandboxUnavailable) { _ in _exit(0) },
    Lie("nothing for ever", .timedOut) { _ in },
    nothingAfterReady,
  ]

  package static let nothingAfterReady = Lie("nothing after ready", .timedOut) { try $0.begin() }
}
#endif
