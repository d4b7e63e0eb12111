internal import Libc

/// The main loop of a locked-in worker: it reads the archive like any process, reports each entry to the host, and sends
/// the content that it was told to extract. It makes no decisions.
final class WorkerService {
  private let connection: WorkerConnection
  private let request: WorkerRequest
  private let context: ExtractionContext
  private let archive: ArchiveReader
  private let window: WorkerWindow?
  private let plan: (ArchiveEntry) -> WorkerMessage.Answer
  private var position = -1
  /// Number of warnings that were sent, of those that were only counted, and the log's count at that time.
  private var warned = (kept: 0, others: 0, count: 0)

  /// - Parameter window: Where content goes that the host copies.
  init(
    _ connection: WorkerConnection, _ request: WorkerRequest, _ archive: ArchiveReader,
    _ window: WorkerWindow?, _ cancellation: Cancellation
  ) {
    self.connection = connection
    self.window = window
    self.request = request
    self.archive = archive
    plan = request.prefetch.makePlan()
    var options = request.options
    // The host decides whether the first error ends the extraction.
    options.onError = .keepGoing
    if request.wantsProgress {
      options.onProgress = { progress in
        connection.send(.progress(progress))
        connection.flush()
      }
    }
    context = ExtractionContext(
      options, Ledger(request.account), cancellation, hooks: request.hooks,
      recipient: .host(copiesContent: window != nil))
    connection.use(context.ledger, mostDescriptors: request.mostDescriptors, threads: context.threads)
    IdleHook.set { connection.flush() }
  }

  func run() -> Never {
    readArchive()
    // The host ends this process when it receives `.end`.
    while true { _ = connection.nextMessage() }
  }

  /// Sends all that there is to say and to deliver.
  func readArchive() {
    do throws(ArchiveError) {
      let entries = try LocalEntries(
        archive, in: context, request.prefetch, to: makeDestination)
      sendWarnings(entries)
      connection.send(.opened(comment: entries.comment))
      while try sendNext(entries) {}
      drain(entries)
      try entries.finish()
      if let index = entries.index { try connection.send(index: index) }
    } catch {
      connection.send(.failed(error, position: nil))
    }
    connection.sendAllSlabs()
    connection.send(.end)
    connection.flush()
  }

  private var makeDestination: MakeDestination? {
    guard let window else { return nil }
    let connection = connection
    return { WindowWriter(window, connection, $0.ledger) }
  }

  /// False at the end.
  private func sendNext(_ entries: LocalEntries) throws(ArchiveError) -> Bool {
    let next: ArchiveEntry?
    do throws(ArchiveError) { next = try entries.next() } catch {
      // The outcomes of earlier entries come first.
      drain(entries)
      sendWarnings(entries)
      connection.send(.failed(error, position: nil))
      return true
    }
    sendWarnings(entries)
    guard let entry = next else { return false }
    position += 1
    let answer = plan(entry)
    if request.prefetch.tellsPlaces, let place = entries.place { connection.send(.place(place)) }
    connection.send(entry, answer)
    if answer == .yes { fetch(entry, entries) } else if answer == .asks { ask(entry, entries) }
    return true
  }

  /// Does with an entry's content what the host says.
  private func ask(_ entry: ArchiveEntry, _ entries: LocalEntries) {
    while true {
      switch connection.nextMessage() {
      case .wanted: return fetch(entry, entries)
      case .pieces: return sendPieces(of: entry, entries)
      case .unwanted: return
      case .drain:
        drain(entries)
        connection.sendAllSlabs()
      case .taken: continue
      }
    }
  }

  private func sendPieces(of entry: ArchiveEntry, _ entries: LocalEntries) {
    do throws(ArchiveError) {
      var pieces = PieceWriter(connection, context.ledger)
      let size = try entries.forEachBlock(of: entry) { block, offset throws(ArchiveError) in
        try pieces.write(block, at: offset)
      }
      try pieces.finish()
      sendWarnings(entries)
      connection.send(.whole(size: size))
    } catch {
      sendWarnings(entries)
      connection.send(.failed(error, position: Int64(position)))
    }
  }

  private func fetch(_ entry: ArchiveEntry, _ entries: LocalEntries) {
    do throws(ArchiveError) {
      if request.prefetch.inStep {
        try fetchInStep(entry, entries)
      } else {
        try entries.submit(entry, deliver)
      }
    } catch {
      drain(entries)
      sendWarnings(entries)
      connection.send(.failed(error, position: Int64(position)))
    }
  }

  private func fetchInStep(_ entry: ArchiveEntry, _ entries: LocalEntries) throws(ArchiveError) {
    // Waits for the host if otherwise too much would be held at once.
    let room = min(32 << 20, context.ledger.heldLimit / 4)
    if connection.bytesOnTheWay > 0, (entry.size ?? .max) > room - min(room, connection.bytesOnTheWay) {
      connection.awaitAll()
    }
    let file = try entries.extract(entry)
    try entries.finish()
    sendWarnings(entries)
    connection.send(file, position: position, isLast: true)
  }

  private func drain(_ entries: LocalEntries) { entries.drain(deliver) }

  private func deliver(_: ArchiveEntry, _ position: Int, _ outcome: Result<MemFile?, ArchiveError>) {
    switch outcome {
    case .success(let file): if let file { connection.send(file, position: position) }
    case .failure(let error): connection.send(.failed(error, position: Int64(position)))
    }
  }

  private func sendWarnings(_ entries: LocalEntries) {
    let count = entries.warningCount
    guard count != warned.count else { return }
    let list = entries.warnings
    connection.send(list.kept[warned.kept...])
    if list.others > warned.others { connection.send(.moreWarnings(list.others - warned.others)) }
    warned = (list.kept.count, list.others, count)
  }
}
