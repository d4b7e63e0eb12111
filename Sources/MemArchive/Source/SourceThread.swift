/// A thread on which a caller's source is read: neither a call that blocks nor a task that waits takes a thread of anybody else.
final class SourceThread: TaskExecutor, @unchecked Sendable {
  private let monitor = ConditionLock()
  // All guarded by the monitor.
  private var jobs: ArraySlice<UnownedJob> = []
  private var running: [Int: Task<Void, Never>?] = [:]
  private var started = 0
  private var isEnding = false
  /// Used only by the owner.
  private var thread: JoinableThread?

  private init() {}

  /// A thread that runs until `end` is called.
  static func start() throws(ArchiveError) -> SourceThread {
    let executor = SourceThread()
    executor.thread = try JoinableThread.start { executor.work() }
    return executor
  }

  /// Runs `body` in a task of its own.
  func run(_ body: @escaping @Sendable () async -> Void) {
    let number = monitor.locked {
      started += 1
      running[started] = .some(nil)
      return started
    }
    // Starting it enqueues its first job, which takes the monitor.
    let task = Task(executorPreference: self) {
      await body()
      self.monitor.locked {
        self.running[number] = nil
        self.monitor.notifyAll()
      }
    }
    let isLate = monitor.locked {
      if running[number] != nil { running[number] = task }
      return isEnding
    }
    if isLate { task.cancel() }
  }

  /// Cancels all tasks and waits for their end, unless `gaveUp` says otherwise: then the thread ends with the last of them.
  func end(unless gaveUp: () -> Bool) {
    let tasks = monitor.locked {
      isEnding = true
      monitor.notifyAll()
      return running.values.compactMap { $0 }
    }
    for task in tasks { task.cancel() }
    while !monitor.locked({ running.isEmpty }) {
      guard !gaveUp() else {
        thread.take()?.detach()
        return
      }
      monitor.locked { if !running.isEmpty { monitor.wait(milliseconds: 100) } }
    }
    thread.take()?.join()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    monitor.locked {
      jobs.append(job)
      monitor.notifyAll()
    }
  }

  private func work() {
    while true {
      let job: UnownedJob? = monitor.locked {
        while jobs.isEmpty {
          if isEnding, running.isEmpty { return nil }
          monitor.wait()
        }
        return jobs.removeFirst()
      }
      guard let job else { return }
      unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
