/// The entries of one archive in their order, each with its content: read in this process, or by a worker.
protocol EntrySource: AnyObject {
  /// What was odd so far.
  var warnings: WarningList { get }
  /// The comment on the archive as a whole.
  var comment: String? { get }
  /// What holds while a worker reads; nil where this process does.
  var protection: Protection? { get }

  /// The next entry, or nil at the end. After an error that concerns one entry the next call continues after that entry;
  /// after any other it returns nil.
  func next() throws(ArchiveError) -> ArchiveEntry?

  /// The content of the entry that `next` returned last, at once.
  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile
  /// Calls `body` with each block of the content of the entry that `next` returned last; returns the exact size.
  func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64

  /// Takes on the content of the entry that `next` returned last. It is delivered in this call or a later one.
  func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError)
  /// Delivers everything that was taken on.
  func drain(_ deliver: EntryDelivery) throws(ArchiveError)
  /// Seals everything; to be called after the end and `drain`.
  func finish() throws(ArchiveError)
}

/// Receives an entry with its position among all and what became of its content: nil where a destination of the visitor's
/// own has it.
typealias EntryDelivery = (ArchiveEntry, Int, Result<MemFile?, ArchiveError>) -> Void

/// Where one thread puts the content of entries, one at a time.
package protocol EntryDestination: AnyObject {
  /// Puts the content somewhere: calls `content` with what takes its blocks, each at its offset, and finishes at the size
  /// that this returns. When anything throws, nothing of the entry is left.
  ///
  /// - Parameter reserved: What the ledger was charged with for it before.
  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile?
  /// Called once, when more than a few entries have come, and before most of them.
  func prepareForMany()
  /// Counts the descriptor that an entry is going to have, if it is.
  func reserveDescriptor(_ charge: inout Charge)
  /// Everything taken so far is finished.
  func finish() throws(ArchiveError)
}

package typealias MakeDestination = @Sendable (ExtractionContext) -> any EntryDestination

/// Takes a block of content at its offset; it lives during the call.
package typealias Blocks = (RawSpan, Int64) throws(ArchiveError) -> Void
