internal import Glibc
internal import Synchronization

/// What a thread does before it waits for input, where somebody has set that: a worker says what it knows so far.
enum IdleHook {
  private struct Hook {
    let thread: pthread_t
    let body: @Sendable () -> Void
  }

  private static let hook = Mutex<Hook?>(nil)

  /// Has `body` called on this thread whenever it is about to wait.
  static func set(_ body: @escaping @Sendable () -> Void) {
    let thread = pthread_self()
    hook.withLock { $0 = Hook(thread: thread, body: body) }
  }

  /// To be called where a thread may wait for long.
  static func begin() {
    guard let hook = hook.withLock({ $0 }), pthread_equal(hook.thread, pthread_self()) != 0 else { return }
    hook.body()
  }
}
