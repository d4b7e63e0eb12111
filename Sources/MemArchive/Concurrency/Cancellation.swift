internal import Synchronization

/// Whether a running extraction is to stop; looked at between blocks, and while a pipe gives nothing.
final class Cancellation: Sendable {
  private let isRequested = Atomic<Bool>(false)

  func cancel() { isRequested.store(true, ordering: .relaxed) }

  /// Throws once `cancel` was called.
  func check() throws(ArchiveError) {
    guard isRequested.load(ordering: .relaxed) else { return }
    throw ArchiveError(
      .cancelled, "the extraction was cancelled", advice: "Start it again if it is still wanted.")
  }
}
