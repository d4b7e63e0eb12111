/// The entries of an archive that this process reads, extracted on several threads where the format allows.
final class LocalEntries: EntrySource {
  private let reader: EntryReader
  private let context: ExtractionContext
  private let log: WarningLog
  private let factory: MemFileFactory
  private let destination: any EntryDestination
  /// nil for one thread.
  private let threadPool: EntryThreadPool?
  /// nil where nothing is packed as it lies in the archive.
  private let stream: StreamEntries?
  private var position = -1

  /// - Parameters:
  ///   - prefetch: Whether each entry's content is requested before the next entry: then one thread extracts.
  ///   - makeDestination: Creates each thread's destination for content; nil: files in memory.
  init(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch,
    to makeDestination: MakeDestination? = nil
  ) throws(ArchiveError) {
    self.context = context
    log = WarningLog(context.ledger)
    if let reason = context.missingSandbox { log.add(.noSandbox(reason)) }
    let stop = Cancellation()
    let factory = MemFileFactory(context)
    self.factory = factory
    reader = try EntryReader(
      try archive.open([context.cancellation, stop]), name: archive.fileName, prefetch,
      index: archive.openIndex(), in: context,
      warnings: log, stop: stop,
      makeDestination == nil && !prefetch.inStep ? factory.makeSlabs(threads: context.threads) : nil)
    stream = reader.slabs.map { StreamEntries($0, factory) }
    destination = makeDestination?(context) ?? factory
    threadPool =
      prefetch.inStep || context.threads == 1
      ? nil
      : EntryThreadPool(
        reader.sharedContent, destination, in: context, makeDestination ?? { MemFileFactory($0) })
  }

  var warnings: WarningList { log.list }
  /// Changes whenever `warnings` does.
  var warningCount: Int { log.count }
  var comment: String? { reader.comment }
  var protection: SandboxProtection? { nil }
  var place: Int64? { reader.place }
  var index: MemFile? { reader.index }

  func next() throws(ArchiveError) -> ArchiveEntry? {
    let entry = try reader.next()
    position += 1
    return entry
  }

  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    try factory.file(entry, reserved: nil) { take throws(ArchiveError) in try reader.read(entry, take) }
  }

  func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64 {
    var end: Int64 = 0
    return try reader.read(entry) { block, offset throws(ArchiveError) in
      let blockEnd = offset + Int64(block.byteCount)
      if blockEnd > end {
        try context.ledger.pass(blockEnd - end, end: blockEnd, entry: entry.name)
        end = blockEnd
      }
      try body(block, offset)
    }
  }

  func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError) {
    if let stream, factory.packs {
      let isTaken = try stream.take(entry, position, reader.contentPart, deliver) {
        threadPool?.drain(deliver)
      }
      if isTaken { return }
    }
    stream?.settle(deliver)
    if let threadPool {
      // Limits.ratio compares bytes read and produced so far, which takes a single thread.
      if context.options.limits.ratio == nil, let content = reader.detachedContent {
        return try threadPool.submit(entry, content, position: position, deliver)
      }
      // Copying to a host's window takes as long as copying to another thread.
      if let size = entry.size, size <= EntryThreadPool.largestCopy, !context.recipient.copiesContent {
        return try threadPool.submit(entry, position: position, deliver) { take throws(ArchiveError) in
          try reader.read(entry, take)
        }
      }
    }
    let file = try destination.take(entry, position: position, reserved: nil) { take throws(ArchiveError) in
      try reader.read(entry, take)
    }
    deliver(entry, position, .success(file))
  }

  func drain(_ deliver: EntryDelivery) {
    threadPool?.drain(deliver)
    stream?.settle(deliver)
  }

  func finish() throws(ArchiveError) {
    if let threadPool { try threadPool.finish() } else { try destination.finish() }
  }
}
