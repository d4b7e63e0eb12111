internal import Glibc
internal import SystemPackage

/// Runs the jobs of one actor on a thread of its own: reading may block for long, and the threads that all tasks of a
/// process share must not.
@safe final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  // Both guarded by the mutex.
  private var jobs: [UnownedJob] = []
  private var isStopped = false

  private init() {
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
  }

  /// Starts the thread, which ends after `stop`.
  static func start() throws(ArchiveError) -> ThreadExecutor {
    let executor = ThreadExecutor()
    var thread = pthread_t()
    // The thread owns the executor until it ends.
    let context = unsafe Unmanaged.passRetained(executor).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context = unsafe context else { return nil }
        unsafe Unmanaged<ThreadExecutor>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context)
    guard status == 0 else {
      unsafe Unmanaged<ThreadExecutor>.fromOpaque(context).release()
      throw .system("pthread_create", Errno(rawValue: status), doing: "starting a thread")
    }
    pthread_detach(thread)
    return executor
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    locked {
      jobs.append(job)
      unsafe pthread_cond_signal(condition)
    }
  }

  /// Lets the thread end once it has nothing more to do.
  func stop() {
    locked {
      isStopped = true
      unsafe pthread_cond_signal(condition)
    }
  }

  private func run() {
    while let job = nextJob() { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  private func nextJob() -> UnownedJob? {
    locked {
      while jobs.isEmpty, !isStopped { unsafe pthread_cond_wait(condition, mutex) }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }

  private func locked<Result>(_ body: () -> Result) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }
}
