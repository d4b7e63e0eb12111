internal import SystemPackage

/// The entries of an archive that a worker reads.
///
/// The worker decides nothing that counts: a file is taken only where this process wants the entry, within its own limits,
/// and once.
final class RemoteEntries: EntrySource {
  /// What came of the archive's headers, in its order.
  private enum Header {
    case entry(ArchiveEntry, WorkerMessage.Answer)
    indirect case failure(ArchiveError)
  }

  /// What came of an entry's content.
  private struct Outcome {
    enum Content {
      case file(MemFile)
      case packed(slab: UInt32, offset: Int64, size: Int64)
      indirect case failure(ArchiveError)
    }

    let entry: ArchiveEntry
    let position: Int
    let content: Content
  }

  private let connection: HostConnection
  private let context: ExtractionContext
  private let prefetch: Prefetch
  private let plan: (ArchiveEntry) -> WorkerMessage.Answer
  /// Copies content to where it goes, if it is not to stay in the files that come.
  private let threadPool: EntryThreadPool?
  private var files: ReceivedFiles
  private(set) var warnings: WarningList
  private(set) var comment: String?
  /// Headers and errors that have come and were not passed on, and entries whose content was not. In step there is one.
  private var queued: Charge
  private var headers = PositionQueue<Header>()
  /// Entries whose content may come, by position.
  private var awaited = PositionQueue<ArchiveEntry>()
  private var outcomes = PositionQueue<Outcome>()
  /// The first of them, where its slab has not come.
  private var firstOutcome: Outcome?
  /// Those that came before it was settled whether they are wanted: a large one is extracted before smaller ones.
  private var unsettled: [Int: Outcome] = [:]
  /// The position of the entry that the worker waits for an answer about.
  private var asked: Int?
  /// Whether the worker was told to deliver what it has, since it asked.
  private var isDraining = false
  private var receivedPosition = -1
  /// The entry that `next` returned last, and what the worker said of its content; nil once that is settled.
  private var position = -1
  private var current: WorkerMessage.Answer?
  /// The positions of entries whose content came and is not wanted.
  private var refused: Set<Int> = []
  /// Contents that were taken on and not delivered.
  private var undelivered = 0
  /// Whether the worker reported an error after which contents may be missing.
  private var hasFailed = false
  /// Whether the last message came.
  private var isAtEnd = false
  private var isFinished = false
  /// Whether there is no worker any more.
  private var isDead = false

  /// Starts a worker, which opens the archive.
  ///
  /// - Throws: with `sandboxUnavailable` where no worker can be had.
  init(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch,
    to makeDestination: MakeDestination?
  ) throws(ArchiveError) {
    connection = try HostConnection.start(
      archive, in: context, prefetch, copiesContent: makeDestination != nil)
    self.context = context
    self.prefetch = prefetch
    plan = prefetch.makePlan()
    threadPool = makeDestination.map { EntryThreadPool(nil, $0(context), in: context, $0) }
    queued = Charge(context.ledger, entry: "entries")
    warnings = WarningList(EntryAccount(context.ledger))
    warnings.add(connection.protection.warnings)
    // Copies are charged when they are made; what has come and is not copied yet has an account of its own.
    files = ReceivedFiles(
      connection,
      makeDestination == nil ? context.ledger : Ledger(Limits(heldBytes: context.ledger.heldLimit)),
      executable: context.options.executable)
    while true {
      switch try newsless() {
      case .opened(let comment):
        self.comment = comment
        return
      case .failed(let error, position: nil): throw error
      default: throw connection.violation("sent a message that has no place here")
      }
    }
  }

  var protection: Protection? { connection.protection }

  func next() throws(ArchiveError) -> ArchiveEntry? {
    do throws(ArchiveError) {
      try leaveCurrent()
      while !isFinished {
        if let header = headers.takeFirst() { return try passOn(header) }
        if isAtEnd { isFinished = true } else { try receive() }
      }
      return nil
    } catch {
      note(error)
      isFinished = isFinished || isDead || error.code == .limitExceeded
      throw error
    }
  }

  /// The content of the entry at hand is not wanted, where nobody has asked for it.
  private func leaveCurrent() throws(ArchiveError) {
    switch current.take() {
    case .asks:
      if let entry = awaited.take(position) { giveBack(entry.cost) }
      try answer(false)
    case .yes: refused.insert(position)
    case .no, nil: break
    }
    while let outcome = nextOutcome(), refused.contains(outcome.position) {
      guard take(outcome) != nil else { return }
    }
  }

  private func passOn(_ header: Header) throws(ArchiveError) -> ArchiveEntry {
    switch header {
    case .failure(let error):
      giveBack(error.cost)
      throw error
    case .entry(let entry, let answer):
      position += 1
      if answer == .no { giveBack(entry.cost) }
      current = answer
      try context.ledger.count(entry)
      return entry
    }
  }

  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    var result: Result<MemFile?, ArchiveError>?
    try submit(entry) { result = $2 }
    try drain { result = $2 }
    guard let file = try result?.get() else {
      throw connection.violation("left a file out that was asked for")
    }
    return file
  }

  func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64 {
    try extract(entry).forEachBlock(body)
  }

  func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError) {
    do throws(ArchiveError) {
      switch current.take() {
      case .yes: break
      case .asks: try answer(true)
      case .no where prefetch.mode == .nothing:
        throw ArchiveError(
          .noSuchEntry, entry: entry.name, "no content was to be read",
          advice: "Open the archive as a stream.")
      case .no, nil: throw connection.violation("left a file out that was asked for")
      }
      undelivered += 1
      deliverOutcomes(deliver)
    } catch {
      note(error)
      throw error
    }
  }

  private func answer(_ isWanted: Bool) throws(ArchiveError) {
    (asked, isDraining) = (nil, false)
    try connection.answer(isWanted)
  }

  func drain(_ deliver: EntryDelivery) throws(ArchiveError) {
    defer { threadPool?.drain(deliver) }
    do throws(ArchiveError) {
      // Of an entry at which something went wrong nothing is wanted.
      if current == .yes { try leaveCurrent() }
      deliverOutcomes(deliver)
      while undelivered > 0, !isDead {
        if isAtEnd {
          if hasFailed { break }
          throw connection.violation("did not send a slab that it spoke of")
        }
        if asked != nil, !isDraining {
          isDraining = true
          try connection.send(.drain)
        }
        try receive()
        deliverOutcomes(deliver)
      }
    } catch {
      note(error)
      throw error
    }
  }

  func finish() throws(ArchiveError) { try threadPool?.finish() }

  private func note(_ error: ArchiveError) {
    isDead = isDead || [.sandboxViolation, .workerFailed, .timedOut, .cancelled].contains(error.code)
  }

  // MARK: Content that came

  private func deliverOutcomes(_ deliver: EntryDelivery) {
    while let outcome = nextOutcome() {
      let isRefused = refused.contains(outcome.position)
      guard let result = take(outcome) else { return }
      if isRefused { continue }
      undelivered -= 1
      do throws(ArchiveError) {
        let file = try result.get()
        if let threadPool {
          try threadPool.submit(outcome.entry, file, position: outcome.position, deliver)
        } else {
          deliver(outcome.entry, outcome.position, .success(file))
        }
      } catch {
        // What is wrong with an earlier entry comes first.
        threadPool?.drain(deliver)
        deliver(outcome.entry, outcome.position, .failure(error))
      }
    }
  }

  /// The next outcome of an entry of which it is settled whether its content is wanted.
  private func nextOutcome() -> Outcome? {
    let isSettled = current == nil
    if firstOutcome == nil, isSettled { firstOutcome = unsettled.removeValue(forKey: position) }
    while firstOutcome == nil, let outcome = outcomes.takeFirst() {
      if outcome.position < position || (outcome.position == position && isSettled) {
        firstOutcome = outcome
      } else {
        unsettled[outcome.position] = outcome
      }
    }
    return firstOutcome
  }

  /// The first outcome, which is dealt with then; nil where the slab that it lies in has not come.
  private func take(_ outcome: Outcome) -> Result<MemFile, ArchiveError>? {
    let result: Result<MemFile, ArchiveError>
    switch outcome.content {
    case .file(let file): result = .success(file)
    case .failure(let error):
      giveBack(error.cost)
      result = .failure(error)
    case .packed(let slab, let offset, let size):
      guard let file = files.takePacked(slab: slab, offset: offset, size: size, outcome.entry) else {
        return nil
      }
      result = .success(file)
    }
    firstOutcome = nil
    refused.remove(outcome.position)
    giveBack(outcome.entry.cost)
    return result
  }

  // MARK: Messages

  /// Takes one message.
  private func receive() throws(ArchiveError) {
    switch try newsless() {
    case .entry(let entry, let answer):
      guard answer == plan(entry), asked == nil, !prefetch.inStep || undelivered == 0 else {
        throw connection.violation("did not go by what it was told to extract")
      }
      try hold(entry.cost, entry: entry.name)
      receivedPosition += 1
      awaited.append(answer == .no ? nil : entry)
      headers.append(.entry(entry, answer))
      if answer == .asks { asked = receivedPosition }
    case .file(let position, let size, let place):
      let (entry, number) = try takeAwaited(position)
      let content: Outcome.Content
      switch place {
      case .own: content = .file(try files.takeOwn(size: size, entry))
      case .packed(let slab, let offset):
        try files.claim(slab: slab, offset: offset, size: size, entry)
        content = .packed(slab: slab, offset: offset, size: size)
      }
      outcomes.append(Outcome(entry: entry, position: number, content: content))
    case .failed(let error, let position):
      hasFailed = hasFailed || !error.concernsArchive
      guard let position else {
        guard !prefetch.inStep || undelivered == 0 else {
          throw connection.violation("left a file out that was asked for")
        }
        try hold(error.cost, entry: error.entry)
        return headers.append(.failure(error))
      }
      let (entry, number) = try takeAwaited(position)
      try hold(error.cost, entry: error.entry)
      outcomes.append(Outcome(entry: entry, position: number, content: .failure(error)))
    case .slab(let number, let size): try files.add(slab: number, size: size)
    case .end:
      guard awaited.isEmpty || hasFailed else {
        throw connection.violation("left files out that were asked for")
      }
      isAtEnd = true
      try connection.finish()
    default: throw connection.violation("sent a message that has no place here")
    }
  }

  /// Charges what waits in here.
  private func hold(_ bytes: Int64, entry: String?) throws(ArchiveError) {
    if !prefetch.inStep { try queued.hold(bytes, entry: entry) }
  }

  private func giveBack(_ bytes: Int64) { if !prefetch.inStep { queued.giveBack(bytes) } }

  /// The entry whose content comes.
  private func takeAwaited(_ position: Int64) throws(ArchiveError) -> (ArchiveEntry, Int) {
    let position = Int(position)
    guard position != asked, let entry = awaited.take(position) else {
      throw connection.violation("sent a file that nobody asked for")
    }
    return (entry, position)
  }

  /// The next message that is no news in passing.
  private func newsless() throws(ArchiveError) -> WorkerMessage {
    while true {
      switch try connection.next() {
      case .warning(let warning): warnings.add(warning)
      case .moreWarnings(let count): warnings.count(count)
      case .progress(let progress): context.options.onProgress?(progress)
      case let message: return message
      }
    }
  }
}
