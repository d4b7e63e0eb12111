/// Extracts entries on one thread, into a store of its own.
final class EntryWorker: @unchecked Sendable {
  // Used by one thread at a time: the one that works, and after its end the one that seals.
  let store: Store
  private let reader: ZipContentReader
  private let cancellation: Cancellation?
  private let stop: Cancellation

  init(_ source: SharedSource, _ store: Store, _ cancellation: Cancellation?, stop: Cancellation) {
    self.store = store
    self.cancellation = cancellation
    self.stop = stop
    reader = ZipContentReader(source)
  }

  func run(_ batch: Batch) {
    batch.run { job in
      do throws(ArchiveError) { return .success(try extract(job)) } catch {
        return .failure(error.naming(job.entry.name))
      }
    }
  }

  /// What the ledger was charged with for an entry; gives it back when it goes.
  static func charge(_ job: EntryCrew.Job, _ ledger: Ledger) -> Charge {
    Charge(ledger, entry: job.entry.name, reserved: Int64(job.content.size))
  }

  private func extract(_ job: EntryCrew.Job) throws(ArchiveError) -> MemFile {
    let entry = job.entry
    var region = try Region.create(
      store, name: entry.name, declaredSize: entry.size, reserved: Int64(job.content.size))
    let declared = DeclaredSize(size: entry.size)
    let size = try reader.forEachBlock(of: job.content) { (block, offset) throws(ArchiveError) in
      try cancellation?.check()
      try stop.check()
      try declared.check(blockEnd: offset + Int64(block.byteCount))
      try region.write(block, at: offset)
    }
    try declared.check(total: size)
    return MemFile(try region.seal(size: size), name: entry.name, entry: entry)
  }
}
