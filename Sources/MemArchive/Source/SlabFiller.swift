internal import SealedMemory

/// Fills slabs with parts of a source that can be read at any offset, on several threads, a few ahead of their reader, who takes
/// part when it would otherwise wait.
final class SlabFiller {
  private let source: any SeekableSource
  private let ledger: Ledger
  private let threads: Int
  private let queue: SlabQueue
  private var group = ThreadGroup()
  private var started = 0
  /// Where the slabs that were begun end.
  private(set) var end: Int64 = 0
  private var nextSize = SlabFiller.firstSize

  /// The first slab is smaller, and each next one twice as large: large entries are read without slabs, so that what was filled
  /// ahead of one is filled in vain.
  private static let firstSize = 1 << 20

  init(
    _ source: any SeekableSource, _ ledger: Ledger, usesFolios: Bool, keepsDescriptor: Bool, threads: Int
  ) {
    self.source = source
    self.ledger = ledger
    self.threads = threads
    queue = SlabQueue(
      SharedSource(source), usesFolios: usesFolios, keepsDescriptor: keepsDescriptor)
  }

  deinit {
    queue.end()
    group.join()
  }

  /// The next slab, which begins at `position`; nil at the end, where the source cannot be read, and where the limits leave no
  /// room.
  func next(at position: Int64) -> StreamSlab? {
    if queue.count == 0 { end = position }
    while queue.count < (threads == 1 ? 1 : threads + 1), end < source.size {
      let count = Int(min(Int64(nextSize), source.size - end))
      guard let charge = ReadAheadCharge(ledger, count) else { break }
      queue.append(SlabQueue.Job(at: end, count, charge))
      end += Int64(count)
      nextSize = min(2 * nextSize, StreamSlab.capacity)
    }
    if queue.count > 1, started + 1 < threads {
      while started + 1 < threads, (try? group.start { [queue] in queue.fillAll() }) != nil { started += 1 }
      // Fewer where the system refuses.
      started = threads
    }
    return queue.removeFirst()
  }

  /// Drops what was filled ahead.
  func dropAll() {
    queue.removeAll()
    end = 0
    nextSize = Self.firstSize
  }
}

/// Slabs in order: waiting, then being filled, then filled.
private final class SlabQueue: @unchecked Sendable {
  /// A slab to be filled. Used by one thread at a time: the queue passes it on.
  final class Job {
    let start: Int64
    let count: Int
    private var charge: ReadAheadCharge?
    fileprivate var slab: StreamSlab?
    /// Guarded by the monitor.
    fileprivate var state = State.waiting

    enum State { case waiting, running, done }

    init(at start: Int64, _ count: Int, _ charge: consuming ReadAheadCharge) {
      self.start = start
      self.count = count
      self.charge = consume charge
    }

    /// Leaves no slab where the source cannot be read.
    fileprivate func fill(_ queue: SlabQueue, _ buffer: inout [UInt8]) {
      guard let charge = charge.take(),
        var writer = try? SlabWriter.create(usesFolios: queue.usesFolios, capacity: count)
      else { return }
      do throws(ArchiveError) {
        while writer.room > 0, !queue.isEnded {
          let offset = start + Int64(writer.count)
          let most = min(writer.room, Self.step)
          if writer.hasNoMemory, try queue.source.send(at: offset, most, to: &writer) != nil { continue }
          let read = try writer.extend(most: most, buffer: &buffer) { memory throws(ArchiveError) in
            try queue.source.read(at: offset, into: &memory)
          }
          guard read > 0 else { return }
        }
        guard writer.room == 0 else { return }
        slab = try StreamSlab(writer, at: start, charge, keepsDescriptor: queue.keepsDescriptor)
      } catch {}
    }

    /// The most that is read at once: in between it is asked whether to go on.
    private static let step = 1 << 20
  }

  fileprivate let source: SharedSource
  fileprivate let usesFolios: Bool
  fileprivate let keepsDescriptor: Bool
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var jobs: [Job] = []
  private var hasEnded = false
  /// The reader's.
  private var buffer: [UInt8] = []

  init(_ source: SharedSource, usesFolios: Bool, keepsDescriptor: Bool) {
    self.source = source
    self.usesFolios = usesFolios
    self.keepsDescriptor = keepsDescriptor
  }

  var count: Int { monitor.locked { jobs.count } }
  fileprivate var isEnded: Bool { monitor.locked { hasEnded } }

  func append(_ job: Job) {
    monitor.locked {
      jobs.append(job)
      monitor.notifyAll()
    }
  }

  func removeAll() { monitor.locked { jobs = [] } }

  func end() {
    monitor.locked {
      (hasEnded, jobs) = (true, [])
      monitor.notifyAll()
    }
  }

  /// Fills slabs until the queue ends.
  func fillAll() {
    var buffer: [UInt8] = []
    while let job = waitForWaiting() { run(job, &buffer) }
  }

  /// The first slab, after filling others if it is not yet there; nil where there is none, or it could not be filled.
  func removeFirst() -> StreamSlab? {
    while true {
      let (first, waiting) = monitor.locked {
        jobs.first?.state == .done ? (jobs.removeFirst(), nil) : (nil, takeWaiting())
      }
      if let first { return first.slab }
      if let waiting {
        run(waiting, &buffer)
      } else {
        IdleHook.begin()
        let isEmpty = monitor.locked {
          while let first = jobs.first, first.state != .done { monitor.wait() }
          return jobs.isEmpty
        }
        if isEmpty { return nil }
      }
    }
  }

  private func run(_ job: Job, _ buffer: inout [UInt8]) {
    job.fill(self, &buffer)
    monitor.locked {
      job.state = .done
      monitor.notifyAll()
    }
  }

  private func waitForWaiting() -> Job? {
    monitor.locked {
      while !hasEnded {
        if let job = takeWaiting() { return job }
        monitor.wait()
      }
      return nil
    }
  }

  private func takeWaiting() -> Job? {
    let job = jobs.first { $0.state == .waiting }
    job?.state = .running
    return job
  }
}
