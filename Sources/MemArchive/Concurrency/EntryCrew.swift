/// Extracts entries whose content can be read by itself, on several threads, and gives the files in the entries' order.
///
/// The thread that submits takes part: it works while it would have to wait, so that one processor more is busy and an
/// archive with little in it starts no thread at all.
final class EntryCrew {
  /// One entry to be extracted; its declared size is charged to the ledger.
  struct Job {
    let entry: ArchiveEntry
    let position: Int
    let content: ZipContent
  }

  typealias Outcome = Result<MemFile, ArchiveError>

  private let size: Int
  private let ledger: Ledger
  private let queue: BatchQueue
  private let makeWorker: () -> EntryWorker
  private let own: EntryWorker
  private var workers: [EntryWorker] = []
  private var threads = ThreadGroup()
  private var pending = Batch()

  /// - Parameter size: The threads that may work, the one that submits among them.
  init(size: Int, _ source: SharedSource, options: ExtractionOptions, ledger: Ledger) {
    self.size = size
    self.ledger = ledger
    let queue = BatchQueue()
    self.queue = queue
    makeWorker = {
      EntryWorker(source, Store(options, ledger: ledger), options.cancellation, stop: queue.stop)
    }
    own = makeWorker()
  }

  deinit { stop() }

  /// Takes an entry on. `deliver` is called for earlier ones that are ready.
  func submit(
    _ entry: ArchiveEntry, _ content: ZipContent, position: Int, _ deliver: (Job, Outcome) -> Void
  ) throws(ArchiveError) {
    // Charged here, in the archive's order, so that the limits strike at the same entry as with one thread.
    do throws(ArchiveError) {
      try ledger.reserve(Int64(content.size), entry: entry.name)
    } catch {
      // What was charged for others may not be held any more.
      drain(deliver)
      try ledger.reserve(Int64(content.size), entry: entry.name)
    }
    pending.append(Job(entry: entry, position: position, content: content))
    guard pending.isFull else { return }
    let count = queue.append(take())
    if count > 1 { startThreads() }
    while let batch = queue.removeFirstIfDone() { batch.deliver(deliver) }
    while queue.count > 8 * size { advance(deliver) }
  }

  /// Waits for all entries, working on them meanwhile.
  func drain(_ deliver: (Job, Outcome) -> Void) {
    if !pending.isEmpty { _ = queue.append(take()) }
    while queue.count > 0 { advance(deliver) }
  }

  /// To be called after `drain`: ends the threads and seals everything.
  func finish() throws(ArchiveError) {
    stop()
    for worker in workers + [own] { try worker.store.finish() }
  }

  /// Ends the threads at once; what was not extracted by then is not.
  func stop() {
    queue.end()
    threads.join()
    for job in queue.removeAll() + pending.jobs { _ = EntryWorker.charge(job, ledger) }
    pending = Batch()
  }

  private func take() -> Batch {
    defer { pending = Batch() }
    return pending
  }

  /// Delivers the first batch, or works until it is done.
  private func advance(_ deliver: (Job, Outcome) -> Void) {
    if let batch = queue.removeFirstIfDone() {
      batch.deliver(deliver)
    } else if let batch = queue.nextWaiting() {
      own.run(batch)
      queue.finish(batch)
    } else {
      queue.waitForFirst()
    }
  }

  /// As many as the crew may have; fewer where the system refuses.
  private func startThreads() {
    while workers.count + 1 < size {
      let worker = makeWorker()
      let queue = queue
      guard
        (try? threads.start {
          while let batch = queue.waitForWaiting() {
            worker.run(batch)
            queue.finish(batch)
          }
        }) != nil
      else { return }
      workers.append(worker)
    }
  }
}

/// Threads that end together.
private struct ThreadGroup: ~Copyable {
  private var handles: [Handle] = []

  private final class Handle {
    private var thread: WorkerThread?
    init(_ thread: consuming WorkerThread) { self.thread = consume thread }
    func join() { thread.take()?.join() }
  }

  mutating func start(_ body: @escaping @Sendable () -> Void) throws(ArchiveError) {
    handles.append(Handle(try WorkerThread.start(body)))
  }

  mutating func join() {
    for handle in handles { handle.join() }
    handles = []
  }
}
