/// Extracts entries on several threads, and delivers the files in the entries' order: entries whose content can be read
/// independently, and small ones whose content has already been read, by this process or a worker, so that only the file
/// has to be made.
///
/// The submitting thread takes part: it works when it would otherwise wait, which uses one more processor, and an
/// archive with little content starts no thread at all.
final class EntryThreadPool {
  /// One entry to be extracted; a class because copying it would be expensive.
  final class Job {
    enum Content {
      case zip(ZipContent)
      /// A part of the batch's copies.
      case copied(Range<Int>)
      /// To be copied.
      case file(MemFile)
      /// To be copied from the window of a worker.
      case window(WindowBytes)

      /// Upper bound of queued batches per thread. Content that is still in the archive takes no memory, and looking far
      /// ahead may find a heavy entry.
      var ahead: Int { if case .zip = self { 64 } else { 8 } }
    }

    let entry: ArchiveEntry
    let position: Int
    private(set) var content: Content
    /// The ledger's charge for it.
    let reservation: Reservation
    /// Bytes of the entry itself.
    let cost: UInt64

    init(entry: ArchiveEntry, position: Int, content: Content, reservation: Reservation) {
      (self.entry, self.position, self.content, self.reservation) = (entry, position, content, reservation)
      cost = UInt64(clamping: entry.cost)
    }

    /// Releases what the content was copied from; it may be long until the entry is delivered.
    func dropContent() { content = .copied(0..<0) }

    /// The amount of work and memory, in bytes.
    var weight: UInt64 {
      let work =
        switch content {
        case .zip(let content): max(content.size, content.compressedSize)
        case .copied(let range): UInt64(range.count)
        case .file(let file): UInt64(file.size)
        case .window(let bytes): UInt64(bytes.count)
        }
      return work.addingReportingOverflow(cost).overflow ? .max : work + cost
    }
  }

  typealias Outcome = Result<MemFile?, ArchiveError>

  private let size: Int
  private let ledger: Ledger
  private let queue: BatchQueue
  private let makeThread: (any EntryDestination) -> EntryThread
  private let makeDestination: () -> any EntryDestination
  private let own: EntryThread
  private var others: [EntryThread] = []
  private var threads = ThreadGroup()
  private var pending = Batch()
  /// The number of entries submitted so far.
  private var count = 0
  /// The number of them not yet delivered: each may have a descriptor.
  private var undelivered = 0
  private let mostUndelivered: Int
  /// Upper bound of entries, each with a descriptor, that wait in a worker for a slow one. A worker with several threads may
  /// have at least 4096 descriptors, whatever the host's limit.
  private static let mostForHost = 3072
  /// Bytes of the undelivered entries besides content.
  private var cost: UInt64 = 0
  private static let mostCost: UInt64 = 8 << 20
  /// Delivered batches, to be reused.
  private var spare: [Batch] = []

  /// From this number of entries on, many more are expected.
  static let many = 256

  /// The largest content that is copied: up to this size, making the file takes at least as long as copying.
  static let largestCopy: Int64 = 128 << 10

  /// - Parameters:
  ///   - source: The source of zip content.
  ///   - destination: The destination of the submitting thread.
  ///   - makeDestination: Creates the destination of another thread.
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
    makeThread = { EntryThread(source, $0, context.cancellation, stop: queue.stop) }
    own = makeThread(destination)
  }

  deinit { stop() }

  /// Queues an entry whose content can be read independently. `deliver` is called for earlier entries that are ready.
  func submit(
    _ entry: ArchiveEntry, _ content: ZipContent, position: Int, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    try submit(entry, position: position, .zip(content), size: Int64(content.size), deliver)
  }

  /// Queues an entry whose content is already in a file, to be copied.
  func submit(
    _ entry: ArchiveEntry, _ file: MemFile, position: Int, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    try submit(entry, position: position, .file(file), size: Int64(file.size), deliver)
  }

  private func submit(
    _ entry: ArchiveEntry, position: Int, _ content: Job.Content, size: Int64, _ deliver: EntryDelivery
  ) throws(ArchiveError) {
    var charge = Charge(ledger, entry: entry.name)
    // Charged here, in the archive's order, so that limits apply at the same entry as with one thread.
    try retryingDrained(deliver) { () throws(ArchiveError) in try charge.grow(to: size) }
    submit(entry, position: position, content, charge, deliver)
  }

  /// Calls `account` again if it throws, after earlier entries were delivered and their charges may have been given back.
  private func retryingDrained(
    _ deliver: EntryDelivery, _ account: () throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    do throws(ArchiveError) { try account() } catch {
      drain(deliver)
      try account()
    }
  }

  /// Queues an entry whose content `read` passes on in blocks with their offsets before it returns the size.
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
      // `read` ensures that no block extends beyond the declared size and that it returns that size.
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
    guard add(entry, position: position, content, charge) else { return }
    deliverDone(deliver)
    while queue.count > content.ahead * size || (isFarAhead && queue.count > 0) { advance(deliver) }
  }

  /// Queues an entry whose content is in the window of a worker; it is delivered later.
  func enqueue(_ entry: ArchiveEntry, _ bytes: WindowBytes, position: Int) throws(ArchiveError) {
    var charge = Charge(ledger, entry: entry.name)
    try charge.grow(to: Int64(bytes.count))
    _ = add(entry, position: position, .window(bytes), charge)
  }

  /// Works on some entries that wait; false if none does.
  func work() -> Bool {
    if !pending.isEmpty { append() }
    guard let batch = queue.nextWaiting() else { return false }
    own.run(batch)
    queue.finish(batch)
    return true
  }

  /// Returns whether that made a batch full, which is then queued.
  private func add(
    _ entry: ArchiveEntry, position: Int, _ content: Job.Content, _ charge: consuming Charge
  ) -> Bool {
    count += 1
    undelivered += 1
    if count == Self.many { own.destination.prepareForMany() }
    own.destination.reserveDescriptor(&charge)
    let job = Job(entry: entry, position: position, content: content, reservation: charge.handOver())
    cost += job.cost
    pending.append(job)
    guard pending.isFull else { return false }
    append()
    return true
  }

  private func append() { if queue.append(take()) > 1 { startThreads() } }

  /// Delivers the first entries that are ready.
  func deliverDone(_ deliver: EntryDelivery) {
    while let batch = queue.removeFirstIfDone() { self.deliver(batch, deliver) }
  }

  /// Whether the entries waiting for the first one hold many descriptors, or much memory besides content.
  private var isFarAhead: Bool { undelivered > mostUndelivered || cost > Self.mostCost }

  /// Delivers all entries, working on them in the meantime.
  func drain(_ deliver: EntryDelivery) {
    if !pending.isEmpty { _ = queue.append(take()) }
    while queue.count > 0 { advance(deliver) }
  }

  /// To be called after `drain`: ends the threads and seals everything.
  func finish() throws(ArchiveError) {
    stop()
    for thread in others + [own] { try thread.destination.finish() }
  }

  /// Ends the threads at once and drops all entries not yet extracted.
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

  /// Starts as many threads as the pool may have; fewer if the system refuses.
  private func startThreads() {
    while others.count + 1 < size {
      let thread = makeThread(makeDestination())
      let queue = queue
      guard
        (try? threads.start {
          while let batch = queue.waitForWaiting() {
            thread.run(batch)
            queue.finish(batch)
          }
        }) != nil
      else { return }
      others.append(thread)
    }
  }
}
