internal import SystemPackage

/// The entries of an archive that a worker reads, one at a time.
final class SandboxedStream {
  private let session: WorkerSession
  private let options: ExtractionOptions
  private let ledger: Ledger
  private let demand: StreamDemand
  private var files: ReceivedFiles
  private(set) var warnings: WarningList
  private(set) var comment: String?
  private var position: Int64 = -1
  private var last: ArchiveEntry?
  private var isFinished = false

  init(
    _ reader: ArchiveReader, _ demand: StreamDemand, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) {
    session = try WorkerSession.start(reader, task: .stream(demand), options: options, ledger: ledger)
    self.options = options
    self.ledger = ledger
    self.demand = demand
    warnings = WarningList(EntryAccount(ledger))
    files = ReceivedFiles(session, ledger, executable: options.executable)
    warnings.add(session.protection.warnings)
    switch try message() {
    case .opened(let comment): self.comment = comment
    case .failed(let error, isContent: false): throw error
    default: throw session.violation("sent a message that has no place here")
    }
  }

  var protection: Protection { session.protection }

  func next() throws(ArchiveError) -> ArchiveEntry? {
    guard !isFinished else { return nil }
    if demand == .ask { try session.send(.next) }
    do throws(ArchiveError) {
      while true {
        switch try message() {
        case .entry(let entry, .no):
          try ledger.count(entry)
          position += 1
          last = entry
          return entry
        case .end:
          isFinished = true
          try session.finish()
          return nil
        case .failed(let error, isContent: false): throw error
        // What was extracted beforehand and not asked for.
        case .failed(_, isContent: true) where demand == .contents: continue
        case .file(_, let size, let place) where demand == .contents:
          if let last { _ = try file(size, place, last) }
        default: throw session.violation("sent a message that has no place here")
        }
      }
    } catch {
      isFinished = isFinished || error.endsWorker || error.code == .limitExceeded
      throw error
    }
  }

  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    do throws(ArchiveError) {
      switch demand {
      case .headers:
        throw ArchiveError(
          .noSuchEntry, entry: entry.name, "no content was to be read",
          advice: "Open the archive as a stream.")
      case .ask:
        let account = ledger.snapshot
        try session.send(.extract(held: account.held, descriptors: account.descriptors))
      case .contents: break
      }
      switch try message() {
      case .file(position, let size, let place): return try file(size, place, entry)
      case .failed(let error, isContent: true): throw error
      default: throw session.violation("sent a message that has no place here")
      }
    } catch {
      isFinished = isFinished || error.endsWorker
      throw error
    }
  }

  /// The next message that is no news in passing.
  private func message() throws(ArchiveError) -> WorkerMessage {
    while true {
      switch try session.next() {
      case .warning(let warning): warnings.add(warning)
      case .moreWarnings(let count): warnings.count(count)
      case .progress(let progress): options.onProgress?(progress)
      case let message: return message
      }
    }
  }

  private func file(
    _ size: Int64, _ place: WorkerMessage.Place, _ entry: ArchiveEntry
  ) throws(ArchiveError) -> MemFile {
    switch place {
    case .own: return try files.takeOwn(size: size, entry)
    case .packed(let slab, let offset):
      try files.claim(slab: slab, offset: offset, size: size, entry)
      guard case .slab(slab, let slabSize) = try session.next() else {
        throw session.violation("did not send a slab that it spoke of")
      }
      try files.add(slab: slab, size: slabSize)
      guard let file = try files.takePacked(slab: slab, offset: offset, size: size, entry) else {
        throw session.violation("did not send a slab that it spoke of")
      }
      return file
    }
  }
}

extension ArchiveError {
  /// Whether there is no worker any more after it.
  fileprivate var endsWorker: Bool {
    [.sandboxViolation, .workerFailed, .timedOut, .cancelled].contains(code)
  }
}
