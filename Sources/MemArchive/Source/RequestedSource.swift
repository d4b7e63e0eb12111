/// A source of the caller's own, read in chunks by a thread of its own, so that whoever waits for one can stop waiting.
final class RequestedSource: SeekableSource {
  private let chunks: RequestedChunks
  private let cancellations: [Cancellation]
  let size: Int64
  var position: Int64 = 0

  /// Asks for the source's size.
  ///
  /// - Parameter cancellations: Checked while something is awaited; the first one is the extraction's own.
  init(_ source: any AsyncArchiveSource, _ cancellations: [Cancellation]) throws(ArchiveError) {
    chunks = try RequestedChunks(source)
    self.cancellations = cancellations
    do throws(ArchiveError) { size = try chunks.awaitSize(cancellations) } catch {
      chunks.close(cancellations.first)
      throw error
    }
  }

  deinit { chunks.close(cancellations.first) }

  var progress: SourceProgress { SourceProgress(read: min(chunks.fetchedBytes, size), total: size) }
  var isCostly: Bool { true }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard offset < size else { return 0 }
    return try chunks.read(at: offset, of: size, into: &buffer, cancellations)
  }

  /// Ends a `read` that waits, with the error `cancelled`.
  func stop() { chunks.stop() }
}

/// The parts of a caller's source that have been read, and those that are being read.
private final class RequestedChunks: @unchecked Sendable {
  /// What one call read.
  private struct Chunk {
    let range: Range<Int64>
    let bytes: [UInt8]
    var lastUse: Int
  }

  /// The smallest part that is asked for, and the largest: a round trip of 10 ms costs as much as 1 MiB at 100 MB/s.
  private static let (smallest, largest) = (Int64(64 << 10), Int64(1 << 20))
  /// Bytes that are kept.
  private static let capacity: Int64 = 16 << 20
  /// How far a reader has gone on before it is read ahead of.
  private static let sequential: Int64 = 256 << 10

  private let source: any AsyncArchiveSource
  private let thread: SourceThread
  private let monitor = ConditionLock()
  // All guarded by the monitor.
  private var size: Int64?
  private var chunks: [Chunk] = []
  private var pending: [Range<Int64>] = []
  private var failure: ArchiveError?
  private var isStopped = false
  private var uses = 0
  private var fetched: Int64 = 0

  init(_ source: any AsyncArchiveSource) throws(ArchiveError) {
    self.source = source
    thread = try SourceThread.start()
  }

  var fetchedBytes: Int64 { monitor.locked { fetched } }

  func stop() {
    monitor.locked {
      isStopped = true
      monitor.notifyAll()
    }
  }

  /// Ends all reading. Waits for calls that have not returned, unless the extraction is cancelled.
  func close(_ cancellation: Cancellation?) {
    stop()
    thread.end { (try? cancellation?.check()) == nil }
  }

  func awaitSize(_ cancellations: [Cancellation]) throws(ArchiveError) -> Int64 {
    thread.run { [self] in
      let outcome: Result<Int64, any Error>
      do { outcome = .success(try await source.size) } catch { outcome = .failure(error) }
      monitor.locked {
        switch outcome {
        case .success(let size) where size >= 0: self.size = size
        case .success(let size): failure = .sourceFailed("it says that its size is \(size)")
        case .failure(let error): failure = Self.error(error, "it did not say its size")
        }
        monitor.notifyAll()
      }
    }
    return try wait(cancellations) { size.map { .success($0) } ?? failure.map { .failure($0) } }
  }

  func read(
    at offset: Int64, of size: Int64, into buffer: inout MutableRawSpan, _ cancellations: [Cancellation]
  ) throws(ArchiveError) -> Int {
    let wanted = Int64(buffer.byteCount)
    let chunk = try wait(cancellations) { () -> Result<Chunk, ArchiveError>? in
      if let index = chunks.firstIndex(where: { $0.range.contains(offset) }) {
        uses += 1
        chunks[index].lastUse = uses
        readAhead(of: offset, in: chunks[index].range, size)
        return .success(chunks[index])
      }
      if let failure { return .failure(failure) }
      if !pending.contains(where: { $0.contains(offset) }) { request(offset, wanted, size) }
      return nil
    }
    let start = Int(offset - chunk.range.lowerBound)
    let count = min(buffer.byteCount, chunk.bytes.count - start)
    unsafe buffer.copy(chunk.bytes.span.bytes.extracting(start..<start + count))
    return count
  }

  /// Calls `poll`, with the monitor locked, until it returns something; whatever may change it notifies.
  private func wait<Value>(
    _ cancellations: [Cancellation], until poll: () -> Result<Value, ArchiveError>?
  ) throws(ArchiveError) -> Value {
    while true {
      for cancellation in cancellations { try cancellation.check() }
      let result: Result<Value, ArchiveError>? = monitor.locked {
        if isStopped { return .failure(.cancelled()) }
        if let result = poll() { return result }
        monitor.wait(milliseconds: 100)
        return nil
      }
      if let result { return try result.get() }
    }
  }

  // MARK: With the monitor locked

  /// Asks for what is at `offset`, as much as is wanted at once, and more the further a reader has gone on before it. What lies
  /// between is asked for too where that is less than what came before: several threads read one entry each.
  private func request(_ offset: Int64, _ wanted: Int64, _ size: Int64) {
    let known = chunks.map(\.range) + pending
    // What is read backwards in small steps, such as a zip's end, is one part.
    var start = offset / Self.smallest * Self.smallest
    if let end = known.lazy.map(\.upperBound).filter({ $0 <= offset }).max(),
      end > start || offset - end <= min(Self.consecutive(before: end, in: known), Self.largest / 2)
    {
      start = end
    }
    let length = max(Self.smallest, min(Self.consecutive(before: start, in: known), Self.largest))
    let end = max(start + length, offset + min(wanted, Self.largest))
    fetch(start..<min(end, start + Self.largest), known, size)
  }

  /// Asks for what follows a chunk when its second half is read, by a reader that has gone on for long.
  private func readAhead(of offset: Int64, in range: Range<Int64>, _ size: Int64) {
    guard pending.isEmpty, failure == nil, range.upperBound < size,
      offset - range.lowerBound >= range.count / 2
    else { return }
    let known = chunks.map(\.range)
    let before = Self.consecutive(before: range.upperBound, in: known)
    guard before >= Self.sequential, !known.contains(where: { $0.contains(range.upperBound) }) else { return }
    fetch(range.upperBound..<range.upperBound + min(before, Self.largest), known, size)
  }

  /// The number of bytes that are known without a gap up to `offset`, as far as it matters.
  private static func consecutive(before offset: Int64, in known: [Range<Int64>]) -> Int64 {
    var start = offset
    while offset - start < largest, let range = known.first(where: { $0.upperBound == start }) {
      start = range.lowerBound
    }
    return offset - start
  }

  /// Asks for a part, up to what is there already and to the end.
  private func fetch(_ range: Range<Int64>, _ known: [Range<Int64>], _ size: Int64) {
    let next = known.lazy.map(\.lowerBound).filter { $0 >= range.lowerBound }.min() ?? size
    let range = range.lowerBound..<min(range.upperBound, next, size)
    // An archive may lead its reader back and forth: each small entry can cost a part.
    guard fetched / 16 <= size + Self.capacity else {
      failure = .sourceFailed("\(fetched) bytes of it have been read, and it has \(size)")
      return
    }
    fetched += Int64(range.count)
    pending.append(range)
    thread.run { [self] in
      let outcome: Result<[UInt8], any Error>
      do { outcome = .success(try await source.bytes(in: range)) } catch { outcome = .failure(error) }
      monitor.locked {
        pending.removeAll { $0 == range }
        take(outcome, of: range)
        monitor.notifyAll()
      }
    }
  }

  private func take(_ outcome: Result<[UInt8], any Error>, of range: Range<Int64>) {
    switch outcome {
    case .success(let bytes) where bytes.count == range.count:
      uses += 1
      chunks.append(Chunk(range: range, bytes: bytes, lastUse: uses))
      var held = chunks.reduce(Int64(0)) { $0 + Int64($1.bytes.count) }
      while held > Self.capacity,
        let oldest = chunks.indices.min(by: { chunks[$0].lastUse < chunks[$1].lastUse })
      {
        held -= Int64(chunks.remove(at: oldest).bytes.count)
      }
    case .success(let bytes) where bytes.count < range.count:
      failure =
        failure ?? .truncated("the source ends after \(range.lowerBound + Int64(bytes.count)) of its bytes")
    case .success(let bytes):
      failure = failure ?? .sourceFailed("it returned \(bytes.count) bytes for \(range)")
    case .failure(let error):
      failure = failure ?? Self.error(error, "it could not be read at offset \(range.lowerBound)")
    }
  }

  private static func error(_ error: any Error, _ what: String) -> ArchiveError {
    error as? ArchiveError ?? .sourceFailed("\(what): \(error)")
  }
}
