internal import Synchronization

/// Whether a running extraction is to stop; looked at between blocks, and while a pipe gives nothing.
final class Cancellation: Sendable {
  private let isRequested = Atomic<Bool>(false)
  private let checks = Atomic<UInt>(0)
  /// When it stops by itself.
  private let deadline: (instant: ContinuousClock.Instant, timeout: Duration)?

  /// - Parameter timeout: Stops it so long from now.
  init(timeout: Duration? = nil) { deadline = timeout.map { (.now + $0, $0) } }

  /// What is left of the time; nil where there is no end to it.
  var remaining: Duration? { deadline.map { max(.zero, $0.instant - .now) } }

  func cancel() { isRequested.store(true, ordering: .relaxed) }

  /// How often `check` was called: whether anything goes on.
  var count: UInt { checks.load(ordering: .relaxed) }

  /// Throws once `cancel` was called, or the time has passed.
  func check() throws(ArchiveError) {
    checks.wrappingAdd(1, ordering: .relaxed)
    if isRequested.load(ordering: .relaxed) { throw .cancelled() }
    if let deadline, deadline.instant < .now {
      throw .timedOut("the extraction took longer than \(deadline.timeout)")
    }
  }
}
