/// Has a worker go through an archive, and calls a visitor as it was called there.
///
/// The worker decides nothing that counts: a file is taken only where the visitor wants the entry, within the limits,
/// and once.
struct SandboxedVisit: ~Copyable {
  /// What happened there, and cannot be told to the visitor yet: a slab that it needs has not come.
  private enum Event {
    case entry(ArchiveEntry, WorkerMessage.Answer)
    case file(MemFile, ArchiveEntry, position: Int)
    case packed(slab: UInt32, offset: Int64, size: Int64, ArchiveEntry, position: Int)
    indirect case note(ArchiveError)
  }

  private let session: WorkerSession
  private let options: ExtractionOptions
  private let ledger: Ledger
  private let asks: Bool
  /// Whether the visitor may refuse what the worker took.
  private let mayRefuse: Bool
  /// Who copies the content to where it goes, if it is not to stay in the files that come.
  private let crew: EntryCrew?
  /// What ended the copying.
  private var failure: VisitFailure
  private var files: ReceivedFiles
  private var events = Window<Event>()
  /// The first of them, where it waits for a slab.
  private var waiting: (event: Event, slab: UInt32)?
  private var warnings: WarningList
  /// Entries and errors that have come, until the visitor has heard of them and has the content.
  private var queued: Charge
  private var position = -1
  /// The wanted entries whose content has not come, by position.
  private var awaited = Window<ArchiveEntry>()
  /// The entry that the visitor was told of last, and those that it refused, by position.
  private var toldPosition = -1
  private var refused: Set<Int> = []
  private var notes = 0

  init(
    _ reader: ArchiveReader, _ rule: VisitRule, _ destinations: MakeDestination?, options: ExtractionOptions,
    ledger: Ledger
  ) throws(ArchiveError) {
    var workersOptions = options
    workersOptions.isCopied = destinations != nil
    session = try WorkerSession.start(reader, task: .visit(rule), options: workersOptions, ledger: ledger)
    self.options = options
    self.ledger = ledger
    queued = Charge(ledger, entry: "entries")
    warnings = WarningList(EntryAccount(ledger))
    warnings.add(session.protection.warnings)
    failure = VisitFailure(options)
    asks = rule == .ask
    mayRefuse = rule == .safeContents
    crew = destinations.map {
      EntryCrew(
        size: options.threads, nil, $0(options, ledger), options: options, ledger: ledger, $0)
    }
    // Copies are charged when they are made; what has come and is not copied yet has an account of its own.
    files = ReceivedFiles(
      session, destinations == nil ? ledger : Ledger(Limits(heldBytes: ledger.heldLimit)),
      executable: options.executable)
  }

  var protection: Protection { session.protection }

  mutating func run(_ visitor: inout some EntryVisitor) throws(ArchiveError) {
    while true {
      switch try session.next() {
      case .entry(let entry, let answer): try take(entry, answer, &visitor)
      case .file(let position, let size, let place): try take(position, size, place)
      case .slab(let number, let size): try files.add(slab: number, size: size)
      case .note(let error):
        guard options.onError == .keepGoing, error.concernsArchive else {
          throw session.violation("went on after an error that ends an extraction")
        }
        try queued.hold(error.cost, entry: error.entry)
        events.append(.note(error))
      case .warning(let warning): warnings.add(warning)
      case .moreWarnings(let count): warnings.count(count)
      case .progress(let progress): options.onProgress?(progress)
      case .end(let failedPosition, let error): return try end(failedPosition, error, &visitor)
      default: throw session.violation("sent a message that has no place here")
      }
      try tell(&visitor)
    }
  }

  private mutating func take(
    _ entry: ArchiveEntry, _ answer: WorkerMessage.Answer, _ visitor: inout some EntryVisitor
  ) throws(ArchiveError) {
    try ledger.count(entry)
    position += 1
    guard asks == (answer == .asks) else { throw session.violation("asked what it was told, or did not ask") }
    do throws(ArchiveError) { try queued.hold(entry.cost, entry: entry.name) } catch {
      throw try fail(&visitor, with: error, at: position)
    }
    guard asks else {
      awaited.append(answer == .yes ? entry : nil)
      return events.append(.entry(entry, answer))
    }
    var isWanted = false
    do throws(ArchiveError) { isWanted = try visitor.wants(entry) } catch {
      guard options.goesOn(after: error) else { throw try fail(&visitor, with: error, at: position) }
      try queued.hold(error.cost, entry: error.entry)
      events.append(.note(error))
    }
    if !isWanted { queued.giveBack(entry.cost) }
    awaited.append(isWanted ? entry : nil)
    try session.send(.answer(isWanted))
  }

  private mutating func take(_ position: Int64, _ size: Int64, _ place: WorkerMessage.Place)
    throws(ArchiveError)
  {
    let position = Int(position)
    guard let entry = awaited.take(position) else {
      throw session.violation("sent a file that nobody asked for")
    }
    switch place {
    case .own: events.append(.file(try files.takeOwn(size: size, entry), entry, position: position))
    case .packed(let slab, let offset):
      try files.claim(slab: slab, offset: offset, size: size, entry)
      events.append(.packed(slab: slab, offset: offset, size: size, entry, position: position))
    }
  }

  /// Tells the visitor what can be told, in order.
  private mutating func tell(_ visitor: inout some EntryVisitor) throws(ArchiveError) {
    if let waiting, !files.has(slab: waiting.slab) { return }
    while let event = waiting.take()?.event ?? events.takeFirst() {
      switch event {
      case .entry(let entry, let answer): try compare(answer, entry, &visitor)
      case .file(let file, let entry, let position): try deliver(file, entry, position, &visitor)
      case .packed(let slab, let offset, let size, let entry, let position):
        guard let file = try files.takePacked(slab: slab, offset: offset, size: size, entry) else {
          waiting = (event, slab)
          return
        }
        try deliver(file, entry, position, &visitor)
      case .note(let error):
        notes += 1
        try drain(&visitor)
        queued.giveBack(error.cost)
        try note(error, &visitor)
      }
    }
  }

  private mutating func deliver(
    _ file: MemFile, _ entry: ArchiveEntry, _ position: Int, _ visitor: inout some EntryVisitor
  ) throws(ArchiveError) {
    queued.giveBack(entry.cost)
    if refused.remove(position) != nil { return }
    guard let crew else { return visitor.add(file, for: entry, position: position) }
    do throws(ArchiveError) {
      try crew.submit(entry, file, position: position) { failure.take($1, of: $0, &visitor) }
    } catch {
      try drain(&visitor)
      throw end(&visitor, with: error, at: position)
    }
    try checkFailure(&visitor)
  }

  /// Waits until everything that has come is copied: what is wrong with an earlier entry comes first.
  private mutating func drain(_ visitor: inout some EntryVisitor) throws(ArchiveError) {
    guard let crew else { return }
    crew.drain { failure.take($1, of: $0, &visitor) }
    try checkFailure(&visitor)
  }

  private func checkFailure(_ visitor: inout some EntryVisitor) throws(ArchiveError) {
    guard let (error, position) = failure.first else { return }
    throw end(&visitor, with: error, at: position)
  }

  /// The visitor hears of what came before, and what is wrong with that comes first.
  private mutating func fail(
    _ visitor: inout some EntryVisitor, with error: ArchiveError, at position: Int
  ) throws(ArchiveError) -> ArchiveError {
    try tell(&visitor)
    try drain(&visitor)
    return end(&visitor, with: error, at: position)
  }

  private func note(_ error: ArchiveError, _ visitor: inout some EntryVisitor) throws(ArchiveError) {
    do throws(ArchiveError) { try visitor.note(error) } catch {
      throw end(&visitor, with: error, at: position)
    }
  }

  private func end(
    _ visitor: inout some EntryVisitor, with error: ArchiveError, at position: Int
  ) -> ArchiveError {
    visitor.end(warnings: warnings.all, failedPosition: position)
    return error
  }

  /// What the worker decided by the rule has to be what the visitor says.
  private mutating func compare(
    _ answer: WorkerMessage.Answer, _ entry: ArchiveEntry, _ visitor: inout some EntryVisitor
  ) throws(ArchiveError) {
    toldPosition += 1
    var own = WorkerMessage.Answer.threw
    do throws(ArchiveError) { own = try visitor.wants(entry) ? .yes : .no } catch {
      // What the worker cannot know: names that the visitor has no place for, and what this process has left.
      if mayRefuse || error.code == .limitExceeded {
        try drain(&visitor)
        guard options.goesOn(after: error) else { throw end(&visitor, with: error, at: toldPosition) }
        try note(error, &visitor)
        own = .no
      }
    }
    if answer != .yes { queued.giveBack(entry.cost) }
    if own == answer { return }
    guard mayRefuse, own == .no, answer == .yes else {
      throw session.violation("took another entry than was asked for")
    }
    refused.insert(toldPosition)
  }

  private mutating func end(
    _ failedPosition: Int64?, _ error: ArchiveError?, _ visitor: inout some EntryVisitor
  ) throws(ArchiveError) {
    try tell(&visitor)
    try drain(&visitor)
    guard error != nil || waiting == nil else {
      throw session.violation("did not send a slab that it spoke of")
    }
    // What was wanted has come, or it was said why not.
    guard error != nil || awaited.count <= notes else {
      throw session.violation("left files out that were asked for")
    }
    guard failedPosition ?? -1 <= Int64(position) else { throw session.violation("failed at no entry") }
    visitor.end(warnings: warnings.all, failedPosition: failedPosition.map { Int($0) })
    if let error {
      _ = session.violation("")
      throw error
    }
    try session.finish()
    try crew?.finish()
  }
}
