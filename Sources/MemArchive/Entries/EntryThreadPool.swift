/// Extracts entries on several threads, and gives the files in the entries' order: those whose content can be read by
/// itself, and small ones whose content was read already, so that only a file is left to be made of it, here or by a
/// worker.
///
/// The thread that submits takes part: it works while it would have to wait, so that one processor more is busy and an
/// archive with little in it starts no thread at all.
final class EntryThreadPool {
  /// One entry to be extracted; a class, because it is large to be copied.
  final class Job {
    enum Content {
      case zip(ZipContent)
      /// A part of the batch's copies.
      case copied(Range<Int>)
      /// To be copied.
      case file(MemFile)

      /// So many batches may wait for each thread. Content that is in the archive yet costs no memory, and far ahead
      /// there may be a heavy entry.
      var ahead: Int { if case .zip = self { 64 } else { 8 } }
    }

    let entry: ArchiveEntry
    let position: Int
    let content: Content
    /// What the ledger was charged with for it.
    let reservation: Reservation
    /// What the entry itself takes, in bytes.
    let cost: UInt64

    init(entry: ArchiveEntry, position: Int, content: Content, reservation: Reservation) {
      (self.entry, self.position, self.content, self.reservation) = (entry, position, content, reservation)
      cost = UInt64(clamping: entry.cost)
    }

    /// What there is to do for it, and what it takes, in bytes.
    var weight: UInt64 {
      let work =
        switch content {
        case .zip(let content): max(content.size, content.compressedSize)
        case .copied(let range): UInt64(range.count)
        case .file(let file): UInt64(file.size)
        }
      return work.addingReportingOverflow(cost).overflow ? .max : work + cost
    }
  }

  typealias Outcome = Result<MemFile?, ArchiveError>

  private let size: Int
  private let ledger: Ledger
  private let queue: BatchQueue
  private let makeWorker: (any EntryDestination) -> EntryThread
  private let makeDestination: () -> any EntryDestination
  private let own: EntryThread
  private var workers: [EntryThread] = []
  private var threads = ThreadGroup()
  private var pending = Batch()
  /// The entries taken so far.
  private var count = 0
  /// Those among them that were not delivered: each may have a descriptor.
  private var undelivered = 0
  private let mostUndelivered: Int
  /// What waits in a worker for a slow entry before it has a descriptor each, whatever the host may have: where a worker
  /// has several threads, it may have 4096 at least.
  private static let mostForHost = 3072
  /// What they take besides content, in bytes.
  private var cost: UInt64 = 0
  private static let mostCost: UInt64 = 8 << 20
  /// Batches that were delivered.
  private var spare: [Batch] = []

  /// So many entries that more are to be expected.
  static let many = 256

  /// The largest content that is copied: making a file of it takes as long as the copying at least.
  static let largestCopy: Int64 = 128 << 10

  /// - Parameters:
  ///   - source: What zip content is read from.
  ///   - destination: That of the thread that submits.
  ///   - makeDestination: Makes that of another thread.
  init(
    _ source: SharedSource?, _ destination: any EntryDestination, in context: ExtractionContext,
    _ makeDestination: @escaping MakeDestination
  ) {
    size = context.threads
    ledger = context.ledger
    mostUndelivered = if case .host = context.recipient { Self.mostForHost } else { .max }
    let queue = BatchQueue()
    self.queue = queue
    self.makeDestination = { makeDestination(context) }
    makeWorker = { EntryThread(source, $0, context.cancellation, stop: queue.stop) }
    own = makeWorker(destination)
  }

  deinit { stop() }

  /// Takes an entry on whose content can be read by itself. `deliver` is called for earlier ones that are ready.
  func submit(
    _ entry: ArchiveEntry, _ content: ZipContent, position: Int, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    try submit(entry, position: position, .zip(content), size: Int64(content.size), deliver)
  }

  /// Takes an entry on whose content is in a file already, and is to be copied.
  func submit(
    _ entry: ArchiveEntry, _ file: MemFile, position: Int, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    try submit(entry, position: position, .file(file), size: Int64(file.size), deliver)
  }

  private func submit(
    _ entry: ArchiveEntry, position: Int, _ content: Job.Content, size: Int64, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    var charge = Charge(ledger, entry: entry.name)
    // Charged here, in the archive's order, so that the limits strike at the same entry as with one thread.
    try retryingDrained(deliver) { () throws(ArchiveError) in try charge.grow(to: size) }
    submit(entry, position: position, content, charge, deliver)
  }

  /// Calls `account` once more where it throws: what was charged for others may not be held any more when they are delivered.
  private func retryingDrained(
    _ deliver: EntryDelivery, _ account: () throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    do throws(ArchiveError) { try account() } catch {
      drain(deliver)
      try account()
    }
  }

  /// Takes an entry on whose content `read` hands over in blocks with their offsets, before it returns its size.
  func submit(
    _ entry: ArchiveEntry, position: Int, _ deliver: EntryDelivery,
    read: ((RawSpan, Int64) throws(ArchiveError) -> Void) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) {
    try retryingDrained(deliver) { () throws(ArchiveError) in
      try ledger.check(declared: entry.size ?? 0, entry: entry.name)
    }
    var charge = Charge(ledger, entry: entry.name)
    let start = pending.copies.count
    let size: Int64
    do throws(ArchiveError) {
      // No block reaches beyond the declared size, nor is the size returned another.
      size = try read { (block, offset) throws(ArchiveError) in
        try charge.grow(to: offset + Int64(block.byteCount))
        pending.copy(block, at: Int(offset), from: start)
      }
      try charge.grow(to: size)
    } catch {
      pending.endCopies(at: start)
      throw error
    }
    pending.endCopies(at: start + Int(size))
    submit(entry, position: position, .copied(start..<start + Int(size)), charge, deliver)
  }

  private func submit(
    _ entry: ArchiveEntry, position: Int, _ content: Job.Content, _ charge: consuming Charge,
    _ deliver: EntryDelivery
  ) {
    count += 1
    undelivered += 1
    if count == Self.many { own.destination.prepareForMany() }
    own.destination.reserveDescriptor(&charge)
    let job = Job(entry: entry, position: position, content: content, reservation: charge.handOver())
    cost += job.cost
    pending.append(job)
    guard pending.isFull else { return }
    if queue.append(take()) > 1 { startThreads() }
    while let batch = queue.removeFirstIfDone() { self.deliver(batch, deliver) }
    while queue.count > content.ahead * size || (isFarAhead && queue.count > 0) { advance(deliver) }
  }

  /// Whether what waits for the first entry has many descriptors, or much memory besides content.
  private var isFarAhead: Bool { undelivered > mostUndelivered || cost > Self.mostCost }

  /// Waits for all entries, working on them meanwhile.
  func drain(_ deliver: EntryDelivery) {
    if !pending.isEmpty { _ = queue.append(take()) }
    while queue.count > 0 { advance(deliver) }
  }

  /// To be called after `drain`: ends the threads and seals everything.
  func finish() throws(ArchiveError) {
    stop()
    for worker in workers + [own] { try worker.destination.finish() }
  }

  /// Ends the threads at once; what was not extracted by then is not.
  func stop() {
    queue.end()
    threads.join()
    for job in queue.removeAll() + pending.jobs { _ = EntryThread.charge(job, ledger) }
    pending = Batch()
  }

  private func take() -> Batch {
    defer { pending = spare.popLast() ?? Batch() }
    return pending
  }

  /// Delivers the first batch, or works until it is done.
  private func advance(_ deliver: EntryDelivery) {
    if let batch = queue.removeFirstIfDone() {
      self.deliver(batch, deliver)
    } else if let batch = queue.nextWaiting() {
      own.run(batch)
      queue.finish(batch)
    } else {
      queue.waitForFirst()
    }
  }

  private func deliver(_ batch: Batch, _ deliver: EntryDelivery) {
    undelivered -= batch.jobs.count
    for job in batch.jobs { cost -= job.cost }
    batch.deliver(deliver)
    spare.append(batch)
  }

  /// As many as the pool may have; fewer where the system refuses.
  private func startThreads() {
    while workers.count + 1 < size {
      let worker = makeWorker(makeDestination())
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
