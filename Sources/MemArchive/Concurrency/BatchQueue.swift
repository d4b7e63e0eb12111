/// Some entries that one thread extracts, so that threads meet rarely.
final class Batch: @unchecked Sendable {
  // Belongs to the thread that has it: the queue hands it from one to the other.
  private(set) var jobs: [EntryCrew.Job] = []
  private var outcomes: [EntryCrew.Outcome] = []
  private var bytes: UInt64 = 0

  var isEmpty: Bool { jobs.isEmpty }
  /// Whether there is work for a good part of a millisecond.
  var isFull: Bool { bytes >= 512 << 10 || jobs.count >= 128 }

  func append(_ job: EntryCrew.Job) {
    jobs.append(job)
    bytes += max(job.content.size, job.content.compressedSize)
  }

  func run(_ body: (EntryCrew.Job) -> EntryCrew.Outcome) {
    outcomes.reserveCapacity(jobs.count)
    for job in jobs { outcomes.append(body(job)) }
  }

  func deliver(_ body: (EntryCrew.Job, EntryCrew.Outcome) -> Void) {
    for (job, outcome) in zip(jobs, outcomes) { body(job, outcome) }
  }
}

/// Batches in their order: waiting, then being worked on, then done.
final class BatchQueue: @unchecked Sendable {
  private enum State { case waiting, running, done }

  /// Tells those who work to stop in the middle of an entry.
  let stop = Cancellation()
  private let monitor = Monitor()
  // All guarded by the monitor.
  private var batches: [(batch: Batch, state: State)] = []
  private var isEnded = false

  /// The batches that were not removed yet.
  var count: Int { monitor.locked { batches.count } }

  /// Adds a batch and returns how many there are.
  func append(_ batch: Batch) -> Int {
    monitor.locked {
      batches.append((batch, .waiting))
      monitor.notifyAll()
      return batches.count
    }
  }

  /// The next batch to work on; nil where all are taken.
  func nextWaiting() -> Batch? { monitor.locked { takeWaiting() } }

  /// The next batch to work on, as soon as there is one; nil when the queue has ended.
  func waitForWaiting() -> Batch? {
    monitor.locked {
      while !isEnded {
        if let batch = takeWaiting() { return batch }
        monitor.wait()
      }
      return nil
    }
  }

  func finish(_ batch: Batch) {
    monitor.locked {
      if let index = batches.firstIndex(where: { $0.batch === batch }) { batches[index].state = .done }
      monitor.notifyAll()
    }
  }

  func removeFirstIfDone() -> Batch? {
    monitor.locked { batches.first?.state == .done ? batches.removeFirst().batch : nil }
  }

  /// Waits until the first batch is done, or none is left.
  func waitForFirst() {
    monitor.locked {
      while let first = batches.first, first.state != .done, !isEnded { monitor.wait() }
    }
  }

  /// Lets those who wait for work go, and those who work stop.
  func end() {
    stop.cancel()
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  /// To be called when nobody works any more: the jobs that nobody took.
  func removeAll() -> [EntryCrew.Job] {
    monitor.locked {
      defer { batches = [] }
      return batches.filter { $0.state == .waiting }.flatMap { $0.batch.jobs }
    }
  }

  private func takeWaiting() -> Batch? {
    guard !isEnded, let index = batches.firstIndex(where: { $0.state == .waiting }) else { return nil }
    batches[index].state = .running
    return batches[index].batch
  }
}
