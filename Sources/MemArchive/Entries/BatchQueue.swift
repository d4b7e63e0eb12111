/// Entries that one thread extracts together, so that threads contend rarely.
final class Batch: @unchecked Sendable {
  // Owned by one thread at a time: the queue passes it on.
  private(set) var jobs: [EntryThreadPool.Job] = []
  /// The content of jobs that carry their own.
  private(set) var copies: [UInt8] = []
  private var outcomes: [EntryThreadPool.Outcome] = []
  /// The amount of work, in bytes.
  private(set) var weight: UInt64 = 0

  var isEmpty: Bool { jobs.isEmpty }
  /// Whether there is work for a good part of a millisecond.
  var isFull: Bool { weight >= 256 << 10 || jobs.count >= 128 }

  func append(_ job: EntryThreadPool.Job) {
    jobs.append(job)
    weight += job.weight
  }

  /// Writes a block of content at `offset` after the first `start` copied bytes; zeros fill the gap.
  func copy(_ block: RawSpan, at offset: Int, from start: Int) {
    copies.grow(to: start + offset)
    // A block at an earlier offset overwrites what is there.
    let overlap = min(block.byteCount, copies.count - (start + offset))
    unsafe block.withUnsafeBytes { bytes in
      for index in 0..<overlap { copies[start + offset + index] = unsafe bytes[index] }
      unsafe copies.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[overlap...]))
    }
  }

  /// Sets the end of the copied content; zeros fill the gap.
  func endCopies(at count: Int) {
    copies.grow(to: count)
    copies.removeSubrange(count...)
  }

  func run(_ body: (EntryThreadPool.Job, _ copies: [UInt8]) -> EntryThreadPool.Outcome) {
    outcomes.reserveCapacity(jobs.count)
    for job in jobs { outcomes.append(body(job, copies)) }
  }

  /// Delivers the jobs' outcomes and empties the batch, whose memory is reused.
  func deliver(_ body: EntryDelivery) {
    for (job, outcome) in zip(jobs, outcomes) { body(job.entry, job.position, outcome) }
    jobs.removeAll(keepingCapacity: true)
    outcomes.removeAll(keepingCapacity: true)
    copies.removeAll(keepingCapacity: true)
    weight = 0
  }
}

/// Batches in order: waiting, then running, then done.
final class BatchQueue: @unchecked Sendable {
  private enum State { case waiting, running, done }

  /// Makes threads stop in the middle of an entry.
  let stop = Cancellation()
  private let monitor = ConditionLock()
  // All guarded by the monitor.
  private var batches: [(batch: Batch, state: State)] = []
  private var isEnded = false

  /// The number of batches not yet removed.
  var count: Int { monitor.locked { batches.count } }

  /// Adds a batch and returns the new count.
  func append(_ batch: Batch) -> Int {
    monitor.locked {
      batches.append((batch, .waiting))
      monitor.notifyAll()
      return batches.count
    }
  }

  /// The next batch to work on; nil if all are taken.
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

  /// Wakes threads that wait for work, and stops those that work.
  func end() {
    stop.cancel()
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  /// The jobs that no thread took; to be called when no thread works any more.
  func removeAll() -> [EntryThreadPool.Job] {
    monitor.locked {
      defer { batches = [] }
      return batches.filter { $0.state == .waiting }.flatMap { $0.batch.jobs }
    }
  }

  /// The weight from which an entry at the end of an archive would keep one thread busy while the others idle.
  private static let heavy: UInt64 = 2 << 20

  /// The heaviest waiting batch if it is heavy, otherwise the first.
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
