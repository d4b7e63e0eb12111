/// The entries of one archive in order, each with its content: read in this process, or by a worker.
protocol EntrySource: AnyObject {
  /// The warnings so far.
  var warnings: WarningList { get }
  /// The comment on the archive as a whole.
  var comment: String? { get }
  /// The protection in effect while a worker reads; nil if this process does.
  var protection: SandboxProtection? { get }

  /// Where the entry is that `next` returned last, for a reading that begins there; nil where that has to begin with the first.
  var place: Int64? { get }
  /// Where the archive's compression can be begun from, once all has been listed; nil where nothing needs to know.
  var index: MemFile? { get }

  /// The next entry, or nil at the end. After an error that concerns one entry the next call continues after that entry;
  /// after any other it returns nil.
  func next() throws(ArchiveError) -> ArchiveEntry?

  /// The content of the entry that `next` returned last, immediately.
  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile
  /// Calls `body` with each block of the content of the entry that `next` returned last; returns the exact size.
  func forEachBlock(of entry: ArchiveEntry, _ body: Blocks) throws(ArchiveError) -> Int64

  /// Queues the content of the entry that `next` returned last, to be delivered in this call or a later one.
  func submit(_ entry: ArchiveEntry, _ deliver: EntryDelivery) throws(ArchiveError)
  /// Delivers everything that is queued.
  func drain(_ deliver: EntryDelivery) throws(ArchiveError)
  /// Seals everything; to be called after the end and `drain`.
  func finish() throws(ArchiveError)
}

/// Receives an entry, its position among all entries, and its content or error; the content is nil if a destination of the
/// visitor's own has it.
typealias EntryDelivery = (ArchiveEntry, Int, Result<MemFile?, ArchiveError>) -> Void

/// A destination that can also store contents whose parts come between others'.
package protocol PartedDestination: EntryDestination {
  /// Begins to store an entry's content; see ``EntryDestination/take(_:position:reserved:_:)``.
  func begin(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?
  ) throws(ArchiveError) -> any PartedContent
}

/// A content that is being stored. If it is released before it is finished, nothing of it is left.
package protocol PartedContent: AnyObject {
  func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError)
  /// To be called once, after the last block.
  func finish(size: Int64) throws(ArchiveError) -> MemFile?
}

/// Stores the content of one thread's entries, one at a time.
package protocol EntryDestination: AnyObject {
  /// Stores an entry's content: calls `content` with a function that takes blocks with their offsets, and finishes at the
  /// size that `content` returns. When anything throws, nothing of the entry is left.
  ///
  /// - Parameter reserved: The charge that the ledger already has for it.
  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile?
  /// Memory of its own for the next block of the content that it is taking, if that follows the last one: a block that lies there
  /// need not be copied. nil: it has none.
  func room() -> Room?
  /// Called once, when there have been more than a few entries, to prepare for many more.
  func prepareForMany()
  /// Counts the descriptor that an entry will have, if it will have one.
  func reserveDescriptor(_ charge: inout Charge)
  /// Finishes everything taken so far.
  func finish() throws(ArchiveError)
}

extension EntryDestination {
  package func room() -> Room? { nil }
}

/// Memory of a destination for the next block of a content, at least one byte.
@safe package struct Room {
  private let memory: UnsafeMutableRawBufferPointer

  init(_ memory: UnsafeMutableRawBufferPointer) { unsafe self.memory = memory }

  /// Fills the front of the memory, and passes what is there to `body`. False at the source's end.
  func pass(
    from source: any ByteSource, to body: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Bool {
    var free = unsafe MutableRawSpan(_unsafeBytes: memory)
    let count = try source.read(into: &free)
    if count > 0 { try unsafe body(UnsafeRawBufferPointer(rebasing: memory[..<count]).bytes) }
    return count > 0
  }
}

package typealias MakeDestination = @Sendable (ExtractionContext) -> any EntryDestination
package typealias MakePartedDestination = @Sendable (ExtractionContext) -> any PartedDestination

/// Takes a block of content at its offset; the block is valid during the call.
package typealias Blocks = (RawSpan, Int64) throws(ArchiveError) -> Void
