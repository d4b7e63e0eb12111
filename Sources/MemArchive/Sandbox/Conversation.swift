internal import SystemPackage

/// The host's side of the exchange of messages with the worker that reads an archive.
///
/// The worker makes no decisions that matter: a file is taken only if this process wants the entry, within its own limits,
/// and only once. A value type because a class checks exclusive access to its fields, and this accesses several per message.
struct Conversation: ~Copyable {
  private let connection: HostConnection
  private let context: ExtractionContext
  private let prefetch: Prefetch
  private let plan: (ArchiveEntry) -> WorkerMessage.Answer
  /// Copies content to its destination, if it is not to stay in the received files.
  private let threadPool: EntryThreadPool?
  private var files: ReceivedFiles
  private var contents: WindowContents
  private(set) var warnings: WarningList
  private(set) var comment: String?
  private var pending = PendingEntries()
  /// Errors in headers, each with the position of the entry before it.
  private var headerErrors: ArraySlice<(position: Int, error: ArchiveError)> = []
  /// Charged for what is pending. In step there is one entry.
  private var queued: Charge
  /// The position of the entry that the worker waits for an answer about.
  private var asked: Int?
  /// Where the entry is that will be reported next.
  private var nextPlace: Int64?
  private(set) var index: MemFile?
  /// Whether the worker was told to deliver what it has since it asked.
  private var isDraining = false
  /// Number of entries submitted and not delivered.
  private var undelivered = 0
  /// Whether the worker reported an error after which content may be missing.
  private var hasFailed = false
  /// Whether the last message has arrived.
  private var isAtEnd = false
  private var isFinished = false
  /// Whether the worker is gone.
  private var isDead = false

  /// Starts a worker, which opens the archive.
  ///
  /// - Parameter loadsLibArchive: Whether an earlier worker found that it needs libarchive, and could not load it any more.
  /// - Throws: `sandboxUnavailable` if no worker can be started.
  static func open(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch,
    to makeDestination: MakePartedDestination?, loadsLibArchive: Bool = false
  ) throws(ArchiveError) -> Self {
    let connection = try HostConnection.start(
      archive, in: context, prefetch, copiesContent: makeDestination != nil, loadsLibArchive: loadsLibArchive)
    var conversation = Self(connection, in: context, prefetch, to: makeDestination)
    switch try conversation.nextMessage() {
    case .opened(let comment): conversation.comment = comment
    case .failed(let error, position: nil) where error.lacksLibArchive && !loadsLibArchive:
      return try open(archive, in: context, prefetch, to: makeDestination, loadsLibArchive: true)
    case .failed(let error, position: nil): throw error
    default: throw connection.violation("sent an unexpected message")
    }
    return conversation
  }

  private init(
    _ connection: HostConnection, in context: ExtractionContext, _ prefetch: Prefetch,
    to makeDestination: MakePartedDestination?
  ) {
    self.connection = connection
    self.context = context
    self.prefetch = prefetch
    plan = prefetch.makePlan()
    let destination = makeDestination.map { $0(context) }
    threadPool =
      if let makeDestination, let destination {
        EntryThreadPool(nil, destination, in: context, makeDestination)
      } else { nil }
    queued = Charge(context.ledger, entry: "entries")
    warnings = WarningList(EntryAccount(context.ledger))
    warnings.add(connection.protection.warnings)
    files = ReceivedFiles(connection, context.ledger, FileModes(context.options))
    contents = WindowContents(connection, context, destination, threadPool)
  }

  var protection: SandboxProtection? { connection.protection }
  var place: Int64? { pending.place }

  mutating func next() throws(ArchiveError) -> ArchiveEntry? {
    do throws(ArchiveError) {
      try leaveCurrent()
      while !isFinished {
        if let error = headerErrors.first, error.position == pending.position {
          headerErrors.removeFirst()
          giveBack(error.error.cost)
          throw error.error
        }
        if let entry = pending.passOn() {
          if pending.current == .no { giveBack(entry.cost) }
          try context.ledger.count(entry, isAgain: prefetch.extent == .again)
          return entry
        }
        if isAtEnd { isFinished = true } else { try receive() }
      }
      return nil
    } catch {
      note(error)
      isFinished = isFinished || isDead || error.code == .limitExceeded
      throw error
    }
  }

  /// Declines the current entry's content unless it was requested.
  private mutating func leaveCurrent() throws(ArchiveError) {
    if let unanswered = pending.refuseCurrent() {
      giveBack(unanswered.cost)
      try answer(.unwanted)
    }
    while let content = pending.takeNext(ifRefused: true, in: files) { _ = take(content) }
  }

  mutating func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    var result: Result<MemFile?, ArchiveError>?
    try submit(entry) { result = $2 }
    try drain { result = $2 }
    guard let file = try result?.get() else {
      throw connection.violation("left out a requested file")
    }
    return file
  }

  mutating func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError) {
    do throws(ArchiveError) {
      switch pending.settleCurrent() {
      case .yes: break
      case .asks: try answer(.wanted)
      case .no where prefetch.mode == .nothing:
        throw ArchiveError(
          .noSuchEntry, entry: entry.name, "only entries were to be read, not their content",
          advice: "Open the archive as a stream.")
      case .no, nil: throw connection.violation("left out a requested file")
      }
      undelivered += 1
      deliverContents(deliver)
    } catch {
      note(error)
      throw error
    }
  }

  /// Answers the worker, which waits to hear whether an entry's content is wanted.
  private mutating func answer(_ answer: HostMessage.Kind) throws(ArchiveError) {
    (asked, isDraining) = (nil, false)
    try connection.send(answer)
  }

  /// Takes the current entry's content in pieces, one after another, and keeps none.
  mutating func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64 {
    // Only a worker that waits for an answer has not begun with the content.
    guard pending.current == .asks, prefetch.inStep else { return try extract(entry).forEachBlock(body) }
    let outcome: Result<Int64, ArchiveError>
    do throws(ArchiveError) { outcome = try takePieces(entry, body) } catch {
      note(error)
      throw error
    }
    return try outcome.get()
  }

  /// - Returns: The content's size, or the error of the content, of a limit or of `body`, after which the next entry can be read.
  private mutating func takePieces(
    _ entry: ArchiveEntry, _ body: Blocks
  ) throws(ArchiveError) -> Result<Int64, ArchiveError> {
    let position = Int64(pending.position)
    _ = pending.refuseCurrent()
    try answer(.pieces)
    var end: Int64 = 0
    var failure: ArchiveError?
    while true {
      switch try nextMessage() {
      case .piece(let offset, let size):
        let piece = try files.takePiece(size: size)
        guard size > 0, size <= Int64(PieceWriter.largest), offset >= end, offset <= .max - size else {
          throw connection.violation("sent a piece that does not follow the one before it")
        }
        let pieceEnd = offset + size
        do throws(ArchiveError) {
          try context.ledger.pass(pieceEnd - end, end: pieceEnd, entry: entry.name)
        } catch {
          // An honest worker has the same limits, and does not send what exceeds them.
          _ = connection.violation("sent more than the limits allow")
          isFinished = true
          throw error
        }
        // What `body` failed at does not end the reading: the rest is received and dropped.
        if failure == nil {
          do throws(ArchiveError) {
            try piece.withBytes(entry) { bytes throws(ArchiveError) in try body(bytes, offset) }
          } catch {
            failure = error
          }
        }
        end = pieceEnd
      case .whole(let size):
        guard size >= end else { throw connection.violation("sent more than the whole of a content") }
        return failure.map { .failure($0) } ?? .success(size)
      case .failed(let error, position: position):
        hasFailed = hasFailed || !error.concernsArchive || connection.hasSourceFailed
        return .failure(failure ?? error)
      default: throw connection.violation("sent an unexpected message")
      }
    }
  }

  mutating func drain(_ deliver: EntryDelivery) throws(ArchiveError) {
    defer { threadPool?.drain(deliver) }
    do throws(ArchiveError) {
      // The content of an entry whose handling failed is not wanted.
      if pending.current == .yes { try leaveCurrent() }
      deliverContents(deliver)
      while undelivered > 0, !isDead {
        if isAtEnd {
          if hasFailed { break }
          throw connection.violation("did not send a slab that it announced")
        }
        if asked != nil, !isDraining {
          isDraining = true
          try connection.send(.drain)
        }
        try receive()
        deliverContents(deliver)
      }
    } catch {
      note(error)
      throw error
    }
  }

  mutating func finish() throws(ArchiveError) { try threadPool?.finish() }

  private mutating func note(_ error: ArchiveError) {
    isDead =
      isDead
      || [.sandboxViolation, .workerFailed, .timedOut, .cancelled, .sourceFailed].contains(error.code)
  }

  // MARK: Received content

  private mutating func deliverContents(_ deliver: EntryDelivery) {
    threadPool?.deliverDone(deliver)
    while let content = pending.takeNext(in: files) {
      let result = take(content)
      if content.isRefused { continue }
      undelivered -= 1
      guard let result else { continue }
      do throws(ArchiveError) {
        let file = try result.get()
        if let threadPool, let file {
          try threadPool.submit(content.entry, file, position: content.position, deliver)
        } else {
          deliver(content.entry, content.position, .success(file))
        }
      } catch {
        // An earlier entry's error comes first.
        threadPool?.drain(deliver)
        deliver(content.entry, content.position, .failure(error))
      }
    }
  }

  /// What is to be delivered; nil if others do that.
  private mutating func take(_ next: PendingEntries.Next) -> Result<MemFile?, ArchiveError>? {
    giveBack(next.entry.cost)
    switch next.content {
    case .file(let file): return .success(file)
    case .failure(let error):
      giveBack(error.cost)
      return .failure(error)
    case .packed(let slab, let offset, let size):
      let file = files.takePacked(slab: slab, offset: offset, size: size, next.entry)
      return file.map { .success($0) } ?? .failure(connection.violation("left out a slab"))
    case .stored: return .success(nil)
    case .passedOn: return nil
    }
  }

  // MARK: Messages

  /// Handles one message.
  private mutating func receive() throws(ArchiveError) {
    switch try nextMessage() {
    case .entry(let entry, let answer):
      guard answer == plan(entry), asked == nil, !prefetch.inStep || undelivered == 0 else {
        throw connection.violation("did not extract what it was told to")
      }
      try hold(entry.cost, entry: entry.name)
      pending.append(entry, answer, at: nextPlace.take())
      if answer == .asks { asked = pending.lastPosition }
    case .place(let place):
      guard prefetch.tellsPlaces, nextPlace == nil else {
        throw connection.violation("told a place that it was not asked for")
      }
      nextPlace = place
    case .index(let size):
      guard prefetch.tellsPlaces, index == nil else {
        throw connection.violation("sent an index that it was not asked for")
      }
      index = try files.takeIndex(size: size)
    case .file(let position, let size, let place):
      let entry = try awaited(position)
      switch (place, connection.window) {
      case (.own, nil): pending.fill(position, .file(try files.takeOwn(size: size, entry)))
      case (.packed(let slab, let offset), nil):
        try files.announce(slab: slab, offset: offset, size: size, entry)
        pending.fill(position, .packed(slab: slab, offset: offset, size: size))
      case (.window(let offset), let window?):
        guard let bytes = window.bytes(at: offset, size: size) else {
          throw connection.violation("announced a file beyond the end of a pane")
        }
        try fill(position, contents.take(bytes, of: entry, position, isWanted: pending.isWanted(position)))
      case (.parts, _?):
        try fill(
          position, contents.finish(size: size, of: entry, position, isWanted: pending.isWanted(position)))
      default: throw connection.violation("sent a file in another way than it was told to")
      }
    case .part(let position, let offset, let size, let place):
      let entry = try awaited(position)
      guard let bytes = connection.window?.bytes(at: place, size: size) else {
        throw connection.violation("announced a part beyond the end of a pane")
      }
      try contents.take(bytes, at: offset, of: entry, position, isWanted: pending.isWanted(position))
    case .failed(let error, let position):
      hasFailed = hasFailed || !error.concernsArchive || connection.hasSourceFailed
      try hold(error.cost, entry: error.entry)
      if let position {
        _ = try awaited(position)
        contents.drop(position)
        pending.fill(position, .failure(error))
      } else {
        guard !prefetch.inStep || undelivered == 0 else {
          throw connection.violation("left out a requested file")
        }
        headerErrors.append((pending.lastPosition, error))
      }
    case .slab(let number, let size): try files.add(slab: number, size: size)
    case .end:
      guard pending.awaitedCount == 0 || hasFailed else {
        throw connection.violation("left out requested files")
      }
      isAtEnd = true
      try connection.finish()
    default: throw connection.violation("sent an unexpected message")
    }
  }

  private mutating func fill(_ position: Int64, _ content: PendingEntries.Content) throws(ArchiveError) {
    if case .failure(let error) = content { try hold(error.cost, entry: error.entry) }
    pending.fill(position, content)
  }

  /// Charges a pending entry or error.
  private mutating func hold(_ bytes: Int64, entry: String?) throws(ArchiveError) {
    if !prefetch.inStep { try queued.hold(bytes, entry: entry) }
  }

  private mutating func giveBack(_ bytes: Int64) { if !prefetch.inStep { queued.giveBack(bytes) } }

  /// The entry whose content or error has arrived.
  private func awaited(_ position: Int64) throws(ArchiveError) -> ArchiveEntry {
    guard asked.map(Int64.init) != position, let entry = pending.awaited(position) else {
      throw connection.violation("sent a file that was not requested")
    }
    return entry
  }

  /// The next message, after handling any warnings and progress reports before it.
  private mutating func nextMessage() throws(ArchiveError) -> WorkerMessage {
    while true {
      switch try connection.next(orElse: { [threadPool] in threadPool?.work() ?? false }) {
      case .warning(let warning): warnings.add(warning)
      case .moreWarnings(let count): warnings.count(count)
      case .progress(let progress): context.options.onProgress?(progress)
      case let message: return message
      }
    }
  }
}
