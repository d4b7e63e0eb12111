import MemArchive

/// The archives of `each`, and the threads that draw entries from them.
///
/// A thread takes the first archive that no other is reading, or begins the next one, draws an entry (or a batch), gives the archive
/// back, and does with the entry what is to be done. So there are no more archives open than threads, each thread has one
/// entry or batch, and an archive of many entries keeps all threads busy as many archives do.
final class EntryQueue: @unchecked Sendable {
  /// What is done with entries.
  enum Action {
    case command(EntryCommand)
    case clamd(ClamdClient)
  }

  /// An archive on its way.
  private final class Item {
    let argument: String
    /// What it is called in all that is said of it.
    let name: String
    /// nil without a journal.
    let identity: Journal.Identity?
    let before: Journal.Progress
    // Used by the thread that has taken it.
    var reading: EntryReading?
    // The others only inside `monitor.locked`.
    var context: ExtractionContext?
    var isAtEnd = false
    /// Threads that do something with entries of it.
    var busy = 0
    /// What was wrong with entries after they were drawn, and the number of those.
    var status = ExitStatus.done
    var failures = 0
    /// Whether a command failed, or clamd found something.
    var hasFailures: Bool
    /// Whether an entry is left that is not in the journal.
    var isIncomplete = false

    init(_ argument: String, _ journal: Journal?) {
      (self.argument, name) = (argument, Archive.name(of: argument))
      identity = journal == nil ? nil : Journal.Identity(argument)
      before = identity.flatMap { journal?.progress(of: $0) } ?? Journal.Progress()
      hasFailures = before.hasFailures
    }
  }

  private let archives: [String]
  private let options: WalkOptions
  private let action: Action
  private let json: Bool
  private let collected: Set<EntryCommand.Stream>
  private let portion: EntryReading.Portion
  private let journal: Journal?
  private let floor = Floor()

  private let monitor = ConditionLock()
  // Used only inside `monitor.locked`.
  private var next = 0
  /// Archives that no thread is reading, the first one first.
  private var free: [(index: Int, item: Item)] = []
  private var open: [Int: Item] = [:]
  /// Threads that have not ended, with the one that waits.
  private var threads = 1
  private var isStopped = false
  private var failure: ExitStatus?
  private var worst = ExitStatus.done
  private var hasFailures = false

  /// Bytes of a command's output that a JSON line has at most.
  private static let longestOutput = 1 << 20

  /// - Parameters:
  ///   - collected: What is collected of what commands write.
  ///   - portion: What is drawn at once.
  init(
    _ archives: [String], _ options: WalkOptions, _ action: Action, json: Bool,
    collecting collected: Set<EntryCommand.Stream>, _ portion: EntryReading.Portion, _ journal: Journal?
  ) {
    (self.archives, self.options, self.action, self.json) = (archives, options, action, json)
    (self.collected, self.portion, self.journal) = (collected, portion, journal)
  }

  // MARK: The thread that waits

  /// Does everything on so many threads, and returns when they have ended.
  ///
  /// - Returns: The signal that stopped it, if one did; and the exit status.
  func run(threads count: Int) throws -> (signal: Int32?, ExitStatus) {
    StopSignal.take()
    var group = ThreadGroup()
    var problem: ArchiveError?
    var started = 0
    while started < count, problem == nil {
      monitor.locked { threads += 1 }
      do throws(ArchiveError) {
        try group.start { self.work() }
        started += 1
      } catch {
        problem = error
        leave()
      }
    }
    leave()
    var signal: Int32?
    while let number = StopSignal.wait() {
      signal = number
      stop()
    }
    group.join()
    if started == 0, let problem {
      Diagnostics.report("\(problem.description { $0.inOptions })")
      throw ExitStatus(problem)
    }
    return monitor.locked {
      (signal, failure ?? (hasFailures ? worst == .done ? .commandFailed : .commandAndArchiveFailed : worst))
    }
  }

  /// Begins nothing more; what is being done is finished.
  private func stop() {
    monitor.locked {
      isStopped = true
      for item in open.values { item.context?.cancel() }
      monitor.notifyAll()
    }
  }

  private func leave() {
    let isLast = monitor.locked {
      threads -= 1
      return threads == 0
    }
    if isLast { StopSignal.endWaiting() }
  }

  // MARK: The threads that work

  private func work() {
    let seat = Floor.Seat(floor)
    do {
      try Transcript.$current.withValue(Transcript(seat)) {
        while let (index, item) = take() { try work(on: item, index, seat) }
      }
    } catch {
      if let error = error as? ArchiveError {
        Diagnostics.report("\(error.description { $0.inOptions })")
      } else if !(error is ExitStatus) {
        Diagnostics.report("\(error)")
      }
      monitor.locked { failure = failure ?? (error as? ExitStatus ?? .system) }
      stop()
    }
    try? seat.finish()
    leave()
  }

  /// The first archive that no other thread is reading, or the next one; nil if nothing is left to be read.
  private func take() -> (index: Int, Item)? {
    monitor.locked {
      while !isStopped {
        if !free.isEmpty { return free.removeFirst() }
        // A pipe that is named twice is read by one after another.
        if next < archives.count, open.isEmpty || !Archive.isReadOnce(archives[next]) {
          let item = Item(archives[next], journal)
          open[next] = item
          defer { next += 1 }
          return (next, item)
        }
        if next == archives.count, open.isEmpty { break }
        monitor.wait()
      }
      return nil
    }
  }

  private func work(on item: Item, _ index: Int, _ seat: Floor.Seat) throws {
    let drawn = try draw(item)
    let isGivenBack = monitor.locked {
      guard !isStopped else { return false }
      item.isAtEnd = item.reading?.isAtEnd ?? true
      item.busy += 1
      if item.isAtEnd {
        open[index] = nil
      } else {
        free.insert((index, item), at: free.firstIndex { $0.index > index } ?? free.endIndex)
      }
      monitor.notifyAll()
      return true
    }
    guard isGivenBack else { return seat.discard() }
    try seat.finish()
    if !drawn.isEmpty {
      switch action {
      case .command(let command): try run(command, drawn, item, seat)
      case .clamd(let client): for entry in drawn { try scan(client, entry, item, seat) }
      }
    }
    let isDone = monitor.locked {
      item.busy -= 1
      return item.isAtEnd && item.busy == 0
    }
    if isDone { try end(item, seat) }
  }

  private func draw(_ item: Item) throws -> [DrawnEntry] {
    guard item.before.status == nil else { return [] }
    if item.reading == nil {
      let archive = try Archive(item.argument, options.reading)
      if json {
        archive.failures.observer = { [name = item.name] in try? EachLine($0, of: name).write() }
      }
      item.reading = EntryReading(archive, options, without: item.before.entries)
      monitor.locked {
        item.context = archive.context
        if isStopped { archive.context.cancel() }
      }
    }
    return try item.reading?.draw(portion) ?? []
  }

  private func run(
    _ command: EntryCommand, _ drawn: [DrawnEntry], _ item: Item, _ seat: Floor.Seat
  ) throws {
    var (output, isCut): ([UInt8], Bool) = ([], false)
    let begin = ContinuousClock.now
    let end: EntryCommand.End
    do {
      end = try command.run(drawn, of: item.argument, collecting: collected) {
        stream, bytes throws(ExitStatus) in
        guard json, stream == .output else {
          return try seat.add(stream == .output ? .output(bytes) : .errors(bytes))
        }
        let room = Self.longestOutput - output.count
        output += bytes.prefix(room)
        isCut = isCut || bytes.count > room
      }
    } catch let error as ArchiveError {
      return try fail(drawn, item, error, seat)
    }
    for entry in drawn {
      if json {
        var line = EachLine(entry, of: item.name)
        line.set(end)
        line.milliseconds = begin.elapsedMilliseconds
        // That of several together is the first one's.
        if entry.position == drawn.first?.position {
          (line.output, line.cut) = (ArchiveEntry.name(raw: output), isCut ? true : nil)
        }
        try line.write()
      } else if options.reading.verbose, !end.isSuccess {
        Diagnostics.report("\(item.name): entry \"\(entry.entry.name)\": the command ended with \(end)")
      }
    }
    // By a signal that this program is getting too, from a terminal for example.
    let isInterrupted = monitor.locked {
      guard case .signal(let number) = end else { return false }
      return isStopped || StopSignal.signals.contains(number)
    }
    try finish(drawn, item, isDone: !isInterrupted, failed: !end.isSuccess, seat)
  }

  private func scan(
    _ client: ClamdClient, _ drawn: DrawnEntry, _ item: Item, _ seat: Floor.Seat
  ) throws {
    let begin = ContinuousClock.now
    let verdict: ClamdClient.Verdict
    do {
      verdict = try client.scan(drawn.file)
    } catch let error as ArchiveError {
      return try fail([drawn], item, error, seat)
    }
    var line = EachLine(drawn, of: item.name)
    line.milliseconds = begin.elapsedMilliseconds
    switch verdict {
    case .clean: line.verdict = "OK"
    case .found(let name): (line.verdict, line.found) = ("FOUND", name)
    case .failed(let reason):
      return try fail(
        [drawn], item,
        ArchiveError(
          .system, entry: drawn.entry.name, "clamd could not scan it (\(reason))",
          advice: "See the log of clamd."),
        seat)
    }
    if json {
      try line.write()
    } else if verdict != .clean || !options.reading.quiet {
      try Output.write(
        NameText.escaped(item.name).bytes + Array(": ".utf8) + NameText.escaped(drawn.entry.name).bytes)
      let found = line.found.map { NameText.escaped($0).bytes + Array(" FOUND".utf8) }
      try Output.write(Array(": ".utf8) + (found ?? Array("OK".utf8)) + [0x0A])
    }
    try finish([drawn], item, isDone: true, failed: verdict != .clean, seat)
  }

  /// Tells of an error that prevented something from being done with entries.
  private func fail(
    _ drawn: [DrawnEntry], _ item: Item, _ error: ArchiveError, _ seat: Floor.Seat
  ) throws {
    let text = error.withoutPath.description { $0.inOptions }
    let status = ExitStatus(error)
    monitor.locked {
      item.status = item.status.and(status)
      item.failures += 1
    }
    if json {
      let record = FailureRecord(name: error.entry, code: "\(error.code)", error: text, status: status.code)
      try EachLine(record, of: item.name).write()
    }
    Diagnostics.report("\(item.name): \(text)")
    try finish(drawn, item, isDone: false, failed: false, seat)
  }

  /// Shows what was said of entries, and notes that they are done.
  private func finish(
    _ drawn: [DrawnEntry], _ item: Item, isDone: Bool, failed: Bool, _ seat: Floor.Seat
  ) throws {
    try seat.finish()
    monitor.locked {
      item.hasFailures = item.hasFailures || failed
      item.isIncomplete = item.isIncomplete || !isDone
    }
    guard isDone, let identity = item.identity else { return }
    for entry in drawn { try journal?.note(entry, of: identity, failed: failed) }
  }

  /// Tells of an archive of which all is done.
  private func end(_ item: Item, _ seat: Floor.Seat) throws {
    let (later, failed, failures, isIncomplete) = monitor.locked {
      (item.status, item.hasFailures, item.failures, item.isIncomplete)
    }
    let status = later.and(item.before.status ?? item.reading?.status ?? .done)
    monitor.locked {
      worst = worst.and(status)
      hasFailures = hasFailures || failed
    }
    guard let reading = item.reading else { return }
    if json {
      var line = EachLine(.archive, item.name)
      line.verdict = status == .done ? "OK" : "FAILED"
      (line.status, line.failures) = (status.code, failures + reading.archive.failures.count)
      (line.entries, line.files, line.bytes) = (reading.entries, reading.files, reading.bytes)
      try line.write()
      try seat.finish()
    }
    // What the system refused may succeed another time.
    if let identity = item.identity, !isIncomplete, status != .system {
      try journal?.note(identity, status: status, failed: failed)
    }
  }
}
