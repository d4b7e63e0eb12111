/// Extracts entries on one thread, to a destination of its own.
final class EntryThread: @unchecked Sendable {
  // Used by one thread at a time: this one, and after its end the one that seals.
  let destination: any EntryDestination
  /// For zip content; nil for other formats.
  private let reader: ZipContentReader?
  private let cancellation: Cancellation
  private let stop: Cancellation

  init(
    _ source: SharedSource?, _ destination: any EntryDestination, _ cancellation: Cancellation,
    stop: Cancellation
  ) {
    self.destination = destination
    self.cancellation = cancellation
    self.stop = stop
    reader = source.map { ZipContentReader($0, readsAhead: true) }
  }

  func run(_ batch: Batch) {
    batch.run { job, copies in
      defer { job.dropContent() }
      do throws(ArchiveError) { return .success(try extract(job, copies)) } catch {
        return .failure(error.naming(job.entry.name))
      }
    }
  }

  /// The ledger's charge for an entry, given back when the value is destroyed.
  static func charge(_ job: EntryThreadPool.Job, _ ledger: Ledger) -> Charge {
    Charge(ledger, entry: job.entry.name, job.reservation)
  }

  private func extract(_ job: EntryThreadPool.Job, _ copies: [UInt8]) throws(ArchiveError) -> MemFile? {
    try destination.take(job.entry, position: job.position, reserved: job.reservation) {
      take throws(ArchiveError) in
      switch job.content {
      case .copied(let range):
        try checkCancellation()
        try unsafe take(copies.span.bytes.extracting(range), 0)
        return Int64(range.count)
      case .file(let file):
        return try file.forEachBlock { (block, offset) throws(ArchiveError) in
          try checkCancellation()
          try take(block, offset)
        }
      case .window(let bytes):
        try checkCancellation()
        try bytes.withBytes { block throws(ArchiveError) in try take(block, 0) }
        return Int64(bytes.count)
      case .zip(let content):
        let declared = DeclaredSize(size: job.entry.size)
        let size = try reader!.forEachBlock(of: content, in: { destination.room() }) {
          (block, offset) throws(ArchiveError) in
          try checkCancellation()
          try declared.check(blockEnd: offset + Int64(block.byteCount))
          try take(block, offset)
        }
        try declared.check(total: size)
        return size
      }
    }
  }

  private func checkCancellation() throws(ArchiveError) {
    try cancellation.check()
    try stop.check()
  }
}
