internal import Synchronization

/// Is told of each extraction once it has ended: what logs and metrics are made of. Set as ``ExtractionOptions/observer``.
///
/// The product MemArchiveObservability has one for swift-log and one for swift-metrics; a client that wants it enables the package trait
/// `Observability`.
public protocol ExtractionObserver: Sendable {
  /// Called once for each extraction, on the thread on which it ended; the caller waits for it.
  func extractionEnded(_ report: ExtractionReport)
}

/// What an extraction was, and how it ended.
public struct ExtractionReport: Sendable {
  /// The function of ``ArchiveReader`` that was called.
  public enum Operation: String, Hashable, Sendable, CaseIterable {
    case entries, extract, files, stream, tree
  }

  /// What was called.
  public let operation: Operation
  /// Where the archive was, such as "ArchiveReader(song.zip)"; none of its bytes.
  public let archive: String
  /// From the beginning, or the turn in its ``ExtractionPool``, to the end. A stream and a sequence end when they have ended,
  /// or when they are released.
  public let duration: Duration
  /// Entries of every kind that were read.
  public let entries: Int
  /// Bytes of content that were produced, kept or not.
  public let bytes: Int64
  /// The most bytes that were held at once: content, and entries that were kept.
  public let heldBytes: Int64
  /// What was thrown; of a stream that went on, the first error.
  public let error: ArchiveError?
}

/// An extraction that somebody is told of when the last reference to this goes.
final class Observation: Sendable {
  private let observer: any ExtractionObserver
  private let operation: ExtractionReport.Operation
  private let archive: String
  private let ledger: Ledger
  private let began = ContinuousClock.now
  /// What the ledger had counted by then.
  private let before: (entries: Int, produced: Int64)
  private let error = Mutex<ArchiveError?>(nil)

  /// nil if the options name no observer.
  init?(_ operation: ExtractionReport.Operation, of reader: ArchiveReader, in context: ExtractionContext) {
    guard let observer = context.options.observer else { return nil }
    self.observer = observer
    self.operation = operation
    archive = reader.description
    ledger = context.ledger
    before = ledger.counts
  }

  fileprivate func note(_ error: ArchiveError) { self.error.withLock { $0 = $0 ?? error } }

  deinit {
    let counts = ledger.counts
    observer.extractionEnded(
      ExtractionReport(
        operation: operation, archive: archive, duration: ContinuousClock.now - began,
        entries: counts.entries - before.entries,
        bytes: counts.produced - before.produced, heldBytes: ledger.mostHeld, error: error.withLock { $0 }))
  }
}

extension Optional<Observation> {
  /// Notes what `body` throws.
  func watch<Result: ~Copyable>(
    _ body: () throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(ArchiveError) { return try body() } catch {
      self?.note(error)
      throw error
    }
  }
}

extension ExtractionContext {
  /// A whole extraction, of which the observer is told when `body` has ended.
  func observing<Result: ~Copyable>(
    _ operation: ExtractionReport.Operation, of reader: ArchiveReader,
    _ body: (Self) throws(ArchiveError) -> Result
  ) throws(ArchiveError) -> Result {
    let observation = Observation(operation, of: reader, in: self)
    return try observation.watch { () throws(ArchiveError) in try body(self) }
  }
}
