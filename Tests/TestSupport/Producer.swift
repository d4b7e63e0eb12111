import MemArchive
import Synchronization

/// Chunks of an archive that are there, and what comes after them.
package final class Producer: AsyncSequence, Sendable {
  package enum End: Sendable { case normal, failure, archiveFailure, never }

  private struct Broken: Error {}

  private let chunks: [ArraySlice<UInt8>]
  private let end: End
  /// Opened before each chunk but the first, if there is one.
  private let gate: Gate?
  /// The number of chunks that were asked for.
  package var asked: Int { requests.withLock { $0 } }
  private let requests = Mutex(0)
  /// Opened when the iteration is over, by the end of the sequence or by cancellation.
  package let over = Gate()

  package init(_ chunks: [ArraySlice<UInt8>], then end: End = .normal, gate: Gate? = nil) {
    (self.chunks, self.end, self.gate) = (chunks, end, gate)
  }

  package convenience init(
    _ bytes: Bytes, size: Int = 10_000, then end: End = .normal, gate: Gate? = nil
  ) {
    let chunks = stride(from: 0, to: bytes.count, by: size).map {
      bytes[$0..<Swift.min($0 + size, bytes.count)]
    }
    self.init(chunks, then: end, gate: gate)
  }

  package func makeAsyncIterator() -> Iterator { Iterator(producer: self) }

  package final class Iterator: AsyncIteratorProtocol {
    private let producer: Producer
    private var position = 0

    fileprivate init(producer: Producer) { self.producer = producer }
    deinit { producer.over.open() }

    package func next() async throws -> ArraySlice<UInt8>? {
      producer.requests.withLock { $0 += 1 }
      if position > 0 { await producer.gate?.wait() }
      if position < producer.chunks.count {
        defer { position += 1 }
        return producer.chunks[position]
      }
      switch producer.end {
      case .normal: return nil
      case .failure: throw Broken()
      case .archiveFailure:
        let nothing = ArchiveReader(bytes: [1, 2, 3])
        do throws(ArchiveError) { _ = try nothing.kinds() } catch { throw error }
        throw Broken()
      case .never:
        await Gate().wait()
        return nil
      }
    }
  }
}

/// Waited for until it is opened, or the task is cancelled.
package final class Gate: Sendable {
  private let (stream, continuation) = AsyncStream<Void>.makeStream()
  package init() {}
  package func open() { continuation.finish() }
  package func wait() async { for await _ in stream {} }
}

extension ArchiveReader {
  /// Without `async`, in a task too.
  fileprivate func kinds() throws(ArchiveError) -> [ArchiveEntry.Kind] { try entries().map(\.kind) }
}
