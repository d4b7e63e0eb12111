/// Some entries that one thread extracts, so that threads meet rarely.
final class Batch: @unchecked Sendable {
  // Belongs to the thread that has it: the queue hands it from one to the other.
  private(set) var jobs: [EntryThreadPool.Job] = []
  /// The content of the jobs that bring theirs with them.
  private(set) var copies: [UInt8] = []
  private var outcomes: [EntryThreadPool.Outcome] = []
  /// What there is to do, in bytes.
  private(set) var weight: UInt64 = 0

  var isEmpty: Bool { jobs.isEmpty }
  /// Whether there is work for a good part of a millisecond.
  var isFull: Bool { weight >= 256 << 10 || jobs.count >= 128 }

  func append(_ job: EntryThreadPool.Job) {
    jobs.append(job)
    weight += job.weight
  }

  /// Writes a block of content behind the first `start` copied bytes, at `offset`; zeros fill what is between.
  func copy(_ block: RawSpan, at offset: Int, from start: Int) {
    copies.grow(to: start + offset)
    // A block that goes back overwrites what is there.
    let overlap = min(block.byteCount, copies.count - (start + offset))
    unsafe block.withUnsafeBytes { bytes in
      for index in 0..<overlap { copies[start + offset + index] = unsafe bytes[index] }
      unsafe copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[overlap...]))
    }
  }

  /// Sets where the copied content ends; zeros fill what is missing.
  func endCopies(at count: Int) {
    copies.grow(to: count)
    copies.removeSubrange(count...)
  }

  func run(_ body: (EntryThreadPool.Job, _ copies: [UInt8]) -> EntryThreadPool.Outcome) {
    outcomes.reserveCapacity(jobs.count)
    for job in jobs { outcomes.append(body(job, copies)) }
  }

  /// Hands out what became of the jobs, and is empty afterwards; its memory serves again.
  func deliver(_ body: EntryDelivery) {
    for (job, outcome) in zip(jobs, outcomes) { body(job.entry, job.position, outcome) }
    jobs.removeAll(keepingCapacity: true)
    outcomes.removeAll(keepingCapacity: true)
    copies.removeAll(keepingCapacity: true)
    weight = 0
  }
}

/// Batches in their order: waiting, then being worked on, then done.
final class BatchQueue: @unchecked Sendable {
  private enum State { case waiting, running, done }

  /// Tells those who work to stop in the middle of an entry.
  let stop = Cancellation()
  private let monitor = ConditionLock()
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
  func removeAll() -> [EntryThreadPool.Job] {
    monitor.locked {
      defer { batches = [] }
      return batches.filter { $0.state == .waiting }.flatMap { $0.batch.jobs }
    }
  }

  /// From this weight on an entry at the end would keep one thread busy while the others have nothing to do any more.
  private static let heavy: UInt64 = 2 << 20

  /// The heaviest one where it is heavy, and the first one otherwise.
  private func takeWaiting() -> Batch? {
    guard !isEnded, var index = batches.firstIndex(where: { $0.state == .waiting }) else { return nil }
    var weight = Self.heavy
    for other in batches.indices[index...] where batches[other].state == .waiting {
      guard batches[other].batch.weight > weight else { continue }
      (index, weight) = (other, batches[other].batch.weight)
    }
    batches[index].state = .running
    return batches[index].batch
  }
}
