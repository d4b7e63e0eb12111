internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// What extractions at the same time share: threads, memory, and the process that their workers are forked from.
///
/// Nothing need be done for it: ``shared`` is the pool of all that name no other. The first sandboxed extraction, or
/// ``prepare(for:)``, starts a *template*, a process that has loaded what a worker needs, sees no archive, and forks a worker for
/// each; it costs 3 descriptors and about 10 MB of memory, ends with the pool or with this process, and is replaced when it dies,
/// when this process has forked itself, and when its user or group has changed. Priority, affinity, control group and namespaces
/// of workers are those that this process had when the template was started.
///
/// - **Turns.** Asynchronous functions (`await reader.extract()`) wait until fewer than ``extractions`` others run, first come first
///   served; no thread waits with them, cancelling the task ends the waiting, and
///   ``ExtractionOptions/timeout`` begins with the turn. Synchronous ones and streams run on threads of their callers, who would
///   wait for themselves: they are counted, and never wait.
/// - **Threads.** What begins while others run has its part of the processors (``ExtractionOptions/parallelism``).
/// - **Memory.** Extractions without ``ExtractionLimits/heldBytes`` together hold no more than one would alone.
/// - **Descriptors.** With ``ExtractionOptions/Storage/automatic`` a sandboxed one has its part of those that are free when it begins,
///   and others pack when none is left.
public final class ExtractionPool: Sendable {
  /// The pool of all extractions that name no other.
  public static let shared = ExtractionPool()

  /// How many extractions of asynchronous functions run at once.
  public let extractions: Int

  let memory: SharedMemory
  private let current = Mutex<WorkerTemplate?>(nil)
  private let turns: Mutex<Turns>

  private struct Turns {
    /// Extractions that run, whether or not they had to wait.
    var running = 0
    /// Turns taken, and those who wait for one.
    var taken = 0
    var waiting: ArraySlice<Waiter> = []
    var last: UInt64 = 0
  }

  private struct Waiter {
    let number: UInt64
    let continuation: CheckedContinuation<Bool, Never>
  }

  /// A pool with processes and a budget of its own; its template ends with it, after the last extraction.
  ///
  /// - Parameters:
  ///   - extractions: How many extractions of asynchronous functions run at once, at least 1. `nil`: as many as the process has
  ///     processors (sched_getaffinity(2)), and at least 2.
  ///   - heldBytes: Bytes that all extractions without ``ExtractionLimits/heldBytes`` may hold together. `nil`: three quarters of the memory that
  ///     is available when one begins, without what others hold.
  public init(extractions: Int? = nil, heldBytes: Int64? = nil) {
    self.extractions = max(1, extractions ?? max(2, SystemCalls.processorCount()))
    memory = SharedMemory(heldBytes)
    turns = Mutex(Turns())
  }

  // MARK: Turns

  /// Runs `body` on a thread of its own when its turn has come: it may block for long, which the threads shared by all tasks of a
  /// process must not. Cancelling the task ends the waiting at once, and the extraction at its next block.
  func run<Result: Sendable>(
    _ makeContext: @Sendable () -> ExtractionContext,
    _ body: @escaping @Sendable (ExtractionContext) throws(ArchiveError) -> Result
  ) async throws(ArchiveError) -> Result {
    try await takeTurn()
    defer { endTurn() }
    let context = makeContext()
    return try await context.onOwnThread { () throws(ArchiveError) in try body(context) }
  }

  private func takeTurn() async throws(ArchiveError) {
    let number = turns.withLock { turns in
      turns.last += 1
      return turns.last
    }
    let isGranted = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: Bool? = turns.withLock { turns in
          if Task.isCancelled { return false }
          guard turns.taken >= extractions else {
            turns.taken += 1
            return true
          }
          turns.waiting.append(Waiter(number: number, continuation: continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = turns.withLock { turns in
        turns.waiting.firstIndex { $0.number == number }.map { turns.waiting.remove(at: $0) }
      }
      waiter?.continuation.resume(returning: false)
    }
    guard isGranted else { throw .cancelled() }
  }

  /// Passes the turn on to whoever has waited longest.
  private func endTurn() {
    let next = turns.withLock { turns in
      let next = turns.waiting.popFirst()
      if next == nil { turns.taken -= 1 }
      return next
    }
    next?.continuation.resume(returning: true)
  }

  /// The part of one extraction, which begins now and ends when this is released.
  final class Share: Sendable {
    /// Threads that it may have.
    let threads: Int
    private let pool: ExtractionPool
    private let ledger: Ledger

    fileprivate init(_ pool: ExtractionPool, _ ledger: Ledger, threads: Int) {
      (self.pool, self.ledger, self.threads) = (pool, ledger, threads)
    }

    deinit {
      ledger.leave()
      pool.turns.withLock { $0.running -= 1 }
    }
  }

  func join(_ ledger: Ledger) -> Share {
    ledger.join(memory)
    let all = turns.withLock { turns in
      turns.running += 1
      return turns.running + (turns.waiting.isEmpty ? 0 : extractions)
    }
    return Share(self, ledger, threads: max(1, SystemCalls.processorCount() / all))
  }

  /// The number of extractions that run.
  var running: Int { turns.withLock { $0.running } }

  /// The number of tasks that wait for a turn.
  var waiting: Int { turns.withLock { $0.waiting.count } }

  // MARK: Workers

  /// Starts the template unless it runs, and does not wait for it: the first sandboxed extraction finds it ready, or nearly so. A server
  /// calls this before it begins to listen, a program before it does whatever comes before its first archive.
  ///
  /// What stands in the way is not reported here: the extraction that needs the template tries again, and throws.
  ///
  /// - Parameter options: Those of the extraction; without ``ExtractionOptions/sandbox`` nothing is started.
  public func prepare(for options: ExtractionOptions) {
    guard options.sandbox != .off, let program = try? WorkerLocator.program(options) else { return }
    _ = try? template(of: program)
  }

  /// The template that workers of this program are forked from; started if there is none, or it has ended.
  func template(of program: WorkerLocator.Program) throws(Errno) -> WorkerTemplate {
    try current.withLock { current throws(Errno) in
      if let current, current.serves(program) { return current }
      if self === Self.shared { Self.endsAtExit }
      let started = try WorkerTemplate(program)
      current = started
      return started
    }
  }

  /// Ends the template, if this process started it, and what was forked from it; another is started when it is needed.
  package func end() {
    // In a process that was forked meanwhile, another thread's lock would never be released.
    let ended = current.withLockIfAvailable { $0.take() } ?? nil
    ended?.endIfOwn()
  }

  /// A process 1 that reaps no orphans would keep an entry for each host's supervisor, exit(3).
  private static let endsAtExit: Void = { _ = atexit { ExtractionPool.shared.end() } }()

  /// Asks nothing more of a template.
  func remove(_ template: WorkerTemplate) {
    current.withLock { if $0 === template { $0 = nil } }
  }
}
