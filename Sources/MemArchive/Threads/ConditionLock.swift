internal import CLinux
internal import Libc
internal import Synchronization

/// A mutex with a condition variable (pthread_cond_wait(3)).
@safe package final class ConditionLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  package func locked<Result>(_ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Only inside `locked`: releases the mutex until `notifyAll` is called.
  package func wait() { unsafe _ = pthread_cond_wait(condition, mutex) }

  /// The same for this time at most.
  func wait(milliseconds: Int32) {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_REALTIME, &time)
    let end = time.tv_nsec + Int(milliseconds) * 1_000_000
    (time.tv_sec, time.tv_nsec) = (time.tv_sec + end / 1_000_000_000, end % 1_000_000_000)
    unsafe _ = pthread_cond_timedwait(condition, mutex, &time)
  }

  package func notifyAll() { unsafe _ = pthread_cond_broadcast(condition) }
}

/// A hook that runs before a thread waits for input: a worker flushes its messages.
enum IdleHook {
  private struct Hook {
    let thread: pthread_t
    let body: @Sendable () -> Void
  }

  private static let hook = Mutex<Hook?>(nil)

  /// Calls `body` whenever the current thread is about to wait.
  static func set(_ body: (@Sendable () -> Void)?) {
    let thread = pthread_self()
    hook.withLock { $0 = body.map { Hook(thread: thread, body: $0) } }
  }

  /// To be called before the thread may block for long.
  static func begin() {
    guard let hook = hook.withLock({ $0 }), pthread_equal(hook.thread, pthread_self()) != 0 else { return }
    hook.body()
  }
}
