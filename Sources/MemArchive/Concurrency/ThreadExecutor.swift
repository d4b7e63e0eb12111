/// Runs the jobs of one actor on a thread of its own: reading may block for long, and the threads that all tasks of a
/// process share must not.
final class ThreadExecutor: SerialExecutor, @unchecked Sendable {
  private let monitor = Monitor()
  // Both guarded by the monitor.
  private var jobs: [UnownedJob] = []
  private var isStopped = false

  private init() {}

  /// Starts the thread, which ends after `stop`.
  static func start() throws(ArchiveError) -> ThreadExecutor {
    let executor = ThreadExecutor()
    // The thread owns the executor until it ends.
    try WorkerThread.start { executor.run() }.detach()
    return executor
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    monitor.locked {
      jobs.append(job)
      monitor.notifyAll()
    }
  }

  /// Lets the thread end once it has nothing more to do.
  func stop() {
    monitor.locked {
      isStopped = true
      monitor.notifyAll()
    }
  }

  private func run() {
    while let job = nextJob() { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
  }

  private func nextJob() -> UnownedJob? {
    monitor.locked {
      while jobs.isEmpty, !isStopped { monitor.wait() }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}
