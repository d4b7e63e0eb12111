import MemArchive

/// Archives that are read several at once, while all that is said about them is written in their order by one thread: that
/// which shows them.
final class JobQueue: @unchecked Sendable {
  /// What a job has to say.
  enum Piece {
    case output([UInt8])
    case message(String)
    /// Said once, whichever archive it comes from.
    case messageOnce(String)
    /// Bytes for standard error as they are.
    case errors([UInt8])
    case endOfProgress

    /// Bytes that it takes while it waits.
    var size: Int {
      switch self {
      case .output(let bytes), .errors(let bytes): bytes.count
      case .message(let text), .messageOnce(let text): text.utf8.count + 64
      case .endOfProgress: 64
      }
    }

    /// Writes it, on a thread without a transcript.
    func write() throws(ExitStatus) {
      switch self {
      case .output(let bytes): try Output.write(bytes)
      case .message(let text): Diagnostics.write(text)
      case .messageOnce(let text): Diagnostics.reportOnce(text)
      case .errors(let bytes): Diagnostics.write(bytes)
      case .endOfProgress: ProgressBar.clear()
      }
    }
  }

  /// A job that was begun and is not shown yet, or not to its end.
  private struct Job {
    var pieces: [Piece] = []
    /// Of all pieces, in bytes.
    var size = 0
    /// Whether something is to be shown at once.
    var isDue = false
    var context: ExtractionContext?
    var outcome: Result<ExitStatus, any Error>?
  }

  private let count: Int
  private let limit: Int
  private let monitor = ConditionLock()
  // Used only inside `monitor.locked`.
  private var jobs: [Int: Job] = [:]
  private var next = 0
  /// The job that is shown.
  private var turn = 0
  /// Bytes that all jobs have to say.
  private var size = 0
  private var isEnded = false

  /// Bytes that each job may have to say before its turn, if they share evenly, and the one that is shown beside those.
  private static let mostWaiting = 1 << 20
  /// Standard output is written in pieces of this size, so that there is no hurry before.
  private static let pieceSize = 64 << 10

  /// - Parameters:
  ///   - count: The number of jobs.
  ///   - limit: Upper bound of those at once.
  init(_ count: Int, limit: Int) { (self.count, self.limit) = (count, limit) }

  // MARK: The threads that read

  /// Begins one job after another as long as there are any.
  ///
  /// - Parameters:
  ///   - waits: Whether the job with this number begins only when those before it have been shown.
  ///   - body: Does the job.
  func work(waits: (Int) -> Bool, _ body: (Int) throws -> ExitStatus) {
    while let index = begin() {
      if waits(index) { awaitTurn(index) }
      let outcome = Result {
        try Transcript.$current.withValue(Transcript(Seat(queue: self, index: index))) {
          try body(index)
        }
      }
      monitor.locked {
        jobs[index]?.outcome = outcome
        jobs[index]?.context = nil
        monitor.notifyAll()
      }
    }
  }

  private func begin() -> Int? {
    monitor.locked {
      guard next < count, !isEnded else { return nil }
      defer { next += 1 }
      jobs[next] = Job()
      return next
    }
  }

  private func awaitTurn(_ index: Int) {
    monitor.locked { while turn < index, !isEnded { monitor.wait() } }
  }

  /// Keeps a piece until it is shown; waits while there are too many.
  ///
  /// - Throws: An arbitrary status if nothing is shown any more.
  fileprivate func add(_ piece: Piece, _ index: Int) throws(ExitStatus) {
    let isAdded = monitor.locked {
      while !isEnded, isFull(for: piece.size, index) {
        // What is here may be less than is shown at once otherwise.
        jobs[index]?.isDue = true
        monitor.notifyAll()
        monitor.wait()
      }
      guard !isEnded else { return false }
      append(piece, index)
      return true
    }
    if !isAdded { throw .system }
  }

  private func isFull(for more: Int, _ index: Int) -> Bool {
    let own = jobs[index]?.size ?? 0
    if index == turn { return own > 0 && own + more > Self.mostWaiting }
    return size > 0 && size + more > limit * Self.mostWaiting
  }

  private func append(_ piece: Piece, _ index: Int) {
    guard var job = jobs.removeValue(forKey: index) else { return }
    defer { jobs[index] = job }
    if case .output(let bytes) = piece, case .output(var before)? = job.pieces.last,
      before.count < Self.pieceSize
    {
      job.pieces.removeLast()
      before += bytes
      job.pieces.append(.output(before))
    } else {
      job.pieces.append(piece)
    }
    job.size += piece.size
    size += piece.size
    if case .output = piece, job.size < Self.pieceSize { return }
    job.isDue = true
    if index == turn { monitor.notifyAll() }
  }

  /// Cancels the extraction when nothing is shown any more.
  fileprivate func own(_ context: ExtractionContext, _ index: Int) {
    monitor.locked {
      jobs[index]?.context = context
      if isEnded { context.cancel() }
    }
  }

  fileprivate func isShown(_ index: Int) -> Bool { monitor.locked { index == turn && !isEnded } }

  // MARK: The thread that shows

  /// Writes what the job with this number says until it is done; to be called for each in order.
  ///
  /// - Throws: What the job threw, or the status after a failed write.
  func show(_ index: Int) throws -> ExitStatus {
    while true {
      let (pieces, outcome) = take(index)
      for piece in pieces { try piece.write() }
      if let outcome { return try outcome.get() }
    }
  }

  /// What is to be shown of the job, and its outcome once that is all.
  private func take(_ index: Int) -> ([Piece], Result<ExitStatus, any Error>?) {
    monitor.locked {
      if turn != index {
        turn = index
        monitor.notifyAll()
      }
      while jobs[index].map({ !$0.isDue && $0.outcome == nil }) ?? true { monitor.wait() }
      guard let job = jobs[index] else { return ([], nil) }
      size -= job.size
      jobs[index] = job.outcome == nil ? Job(context: job.context) : nil
      monitor.notifyAll()
      return (job.pieces, job.outcome)
    }
  }

  /// Cancels all jobs, and begins no more.
  func end() {
    monitor.locked {
      isEnded = true
      for job in jobs.values { job.context?.cancel() }
      monitor.notifyAll()
    }
  }
}

extension JobQueue {
  /// Takes what one job has to say.
  private struct Seat: Listener {
    let queue: JobQueue
    let index: Int

    func add(_ piece: Piece) throws(ExitStatus) { try queue.add(piece, index) }
    func own(_ context: ExtractionContext) { queue.own(context, index) }
    var isShown: Bool { queue.isShown(index) }
  }
}

/// Takes what is said on a thread.
protocol Listener: Sendable {
  /// - Throws: A status if nothing is shown any more.
  func add(_ piece: JobQueue.Piece) throws(ExitStatus)
  /// Is told of an extraction that begins, which is to be canceled when nothing is shown any more.
  func own(_ context: ExtractionContext)
  /// Whether it is shown at once.
  var isShown: Bool { get }
}

/// Where a job says what it has to say.
struct Transcript: Sendable {
  private let listener: any Listener

  /// That of the job that the current thread does; nil where one archive is read after another, and all is said at once.
  @TaskLocal static var current: Transcript?

  init(_ listener: any Listener) { self.listener = listener }

  /// - Throws: A status if nothing is shown any more.
  func add(_ piece: JobQueue.Piece) throws(ExitStatus) { try listener.add(piece) }

  /// Cancels the extraction when nothing is shown any more.
  func own(_ context: ExtractionContext) { listener.own(context) }

  /// Whether its job is the one that is shown.
  var isShown: Bool { listener.isShown }
}
