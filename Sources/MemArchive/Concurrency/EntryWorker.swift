/// Extracts entries on one thread, into a store of its own.
final class EntryWorker: @unchecked Sendable {
  // Used by one thread at a time: the one that works, and after its end the one that seals.
  let store: Store
  /// For zip content; nil where there is none.
  private let reader: ZipContentReader?
  private let cancellation: Cancellation?
  private let stop: Cancellation

  init(_ source: SharedSource?, _ store: Store, _ cancellation: Cancellation?, stop: Cancellation) {
    self.store = store
    self.cancellation = cancellation
    self.stop = stop
    reader = source.map { ZipContentReader($0) }
  }

  func run(_ batch: Batch) {
    batch.run { job, copies in
      do throws(ArchiveError) { return .success(try extract(job, copies)) } catch {
        return .failure(error.naming(job.entry.name))
      }
    }
  }

  /// What the ledger was charged with for an entry; gives it back when it goes.
  static func charge(_ job: EntryCrew.Job, _ ledger: Ledger) -> Charge {
    Charge(ledger, entry: job.entry.name, job.reservation)
  }

  private func extract(_ job: EntryCrew.Job, _ copies: [UInt8]) throws(ArchiveError) -> MemFile {
    let entry = job.entry
    var region = try Region.create(
      store, name: entry.name, declaredSize: entry.size, reserved: job.reservation)
    let size: Int64
    switch job.content {
    case .copied(let range):
      try checkCancellation()
      try unsafe region.write(copies.span.bytes.extracting(range), at: 0)
      size = Int64(range.count)
    case .zip(let content):
      let declared = DeclaredSize(size: entry.size)
      size = try reader!.forEachBlock(of: content) { (block, offset) throws(ArchiveError) in
        try checkCancellation()
        try declared.check(blockEnd: offset + Int64(block.byteCount))
        try region.write(block, at: offset)
      }
      try declared.check(total: size)
    }
    return MemFile(try region.seal(size: size), name: entry.name, entry: entry)
  }

  private func checkCancellation() throws(ArchiveError) {
    try cancellation?.check()
    try stop.check()
  }
}
