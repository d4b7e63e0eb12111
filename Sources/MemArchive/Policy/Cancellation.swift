internal import Synchronization

/// Whether a running extraction is to stop; checked between blocks, and while a pipe is empty.
@safe package final class Cancellation: @unchecked Sendable {
  private let isRequested = Atomic<Bool>(false)
  /// In memory of its own, because a signal handler reads it.
  private let checks = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: 1)
  /// Why it is to stop, unless somebody wants that.
  private let failure = Mutex<ArchiveError?>(nil)
  /// The time at which it stops by itself.
  private let deadline: (instant: ContinuousClock.Instant, timeout: Duration)?

  /// - Parameter timeout: Stops it after this time from now.
  init(timeout: Duration? = nil) {
    unsafe checks.initialize(to: Atomic(0))
    deadline = timeout.map { (.now + $0, $0) }
  }

  deinit {
    unsafe checks.deinitialize(count: 1)
    unsafe checks.deallocate()
  }

  /// The remaining time; nil without a deadline.
  var remaining: Duration? { deadline.map { max(.zero, $0.instant - .now) } }

  package func cancel() { isRequested.store(true, ordering: .relaxed) }

  /// Like `cancel`, with the error that is thrown.
  func fail(with error: ArchiveError) {
    failure.withLock { $0 = $0 ?? error }
    cancel()
  }

  /// How often `check` was called, which shows progress.
  var count: UInt { unsafe checks.pointee.load(ordering: .relaxed) }
  /// Where that number is; valid as long as this object.
  var progress: UnsafeRawPointer { unsafe UnsafeRawPointer(checks) }

  /// Throws once `cancel` or `fail` has been called, or the deadline has passed.
  package func check() throws(ArchiveError) {
    unsafe checks.pointee.wrappingAdd(1, ordering: .relaxed)
    if isRequested.load(ordering: .relaxed) { throw failure.withLock { $0 } ?? .cancelled() }
    if let deadline, deadline.instant < .now {
      throw .timedOut("the extraction took longer than \(deadline.timeout)")
    }
  }
}

/// Checks for cancellation on every 256th step of a loop whose length an archive decides.
struct PeriodicCheck {
  private let cancellation: Cancellation
  private var steps = 0

  init(_ cancellation: Cancellation) { self.cancellation = cancellation }

  /// To be called for each step of about ten nanoseconds or more.
  mutating func step() throws(ArchiveError) {
    if steps.isMultiple(of: 256) { try cancellation.check() }
    steps &+= 1
  }
}
