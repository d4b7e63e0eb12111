/// The entries of an archive that a worker reads.
final class RemoteEntries: EntrySource {
  private var conversation: Conversation

  /// Starts a worker, which opens the archive.
  ///
  /// - Throws: `sandboxUnavailable` if no worker can be started.
  init(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch,
    to makeDestination: MakePartedDestination?
  ) throws(ArchiveError) {
    conversation = try Conversation.open(archive, in: context, prefetch, to: makeDestination)
  }

  var warnings: WarningList { conversation.warnings }
  var comment: String? { conversation.comment }
  var protection: SandboxProtection? { conversation.protection }
  var place: Int64? { conversation.place }
  var index: MemFile? { conversation.index }

  func next() throws(ArchiveError) -> ArchiveEntry? { try conversation.next() }

  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    try conversation.extract(entry)
  }

  func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64 {
    try conversation.forEachBlock(of: entry, body)
  }

  func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError) {
    try conversation.submit(entry, deliver)
  }

  func drain(_ deliver: EntryDelivery) throws(ArchiveError) { try conversation.drain(deliver) }
  func finish() throws(ArchiveError) { try conversation.finish() }
}
