/// One archive's entries as its format lays them out. What has to be said at its end, and of what does not hold together, is
/// the parser's as well.
protocol EntryParser: AnyObject {
  /// The next entry's header, or nil at the archive's end.
  func nextHeader() throws(ArchiveError) -> Header?

  /// Calls `body` with each block of the current entry's content and its offset; returns the content's exact size,
  /// which the last block does not tell when the entry ends in a hole.
  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64

  /// The current entry's content, where it can be read without this parser, on any thread.
  var detachedContent: ZipContent? { get }
  /// What detached content is read from; nil where none can be detached.
  var sharedContent: SharedSource? { get }

  /// The comment on the archive as a whole, where the format has one and it can be had.
  var comment: [UInt8]? { get }
  /// Whether reading cannot go on after the last error.
  var isExhausted: Bool { get }
}

extension EntryParser {
  var detachedContent: ZipContent? { nil }
  var sharedContent: SharedSource? { nil }
  var comment: [UInt8]? { nil }
}

/// One entry's header as it stands in the archive: names are raw bytes.
struct Header {
  /// The name's bytes; nil where they cannot be had.
  var name: [UInt8]?
  /// The name of what has none in an archive, in place of bytes that are to be decoded.
  var ownName: String?
  var kind: ArchiveEntry.Kind
  var size: Int64?
  var modified: ArchiveEntry.Time?
  var mode: UInt16? = 0o644
  var link: [UInt8]?
  var linkCount = 1
  var isEncrypted = false
  var details: ArchiveEntry.Details?
  var comment: [UInt8]?
  /// A note on what is odd about it.
  var warning: String?
  /// A note for whoever has read its content.
  var noteWhenRead: String?
}

/// Holds content to the size that its header declares.
struct DeclaredSize {
  let size: Int64?

  /// Throws where a block reaches beyond it.
  func check(blockEnd end: Int64) throws(ArchiveError) {
    guard let size, end > size else { return }
    throw .corrupt("the entry holds more than the \(size) bytes that its header declares")
  }

  /// Throws where all of the content is less.
  func check(total: Int64) throws(ArchiveError) {
    guard let size, total != size else { return }
    throw .corrupt("the entry holds \(total) bytes, and its header declares \(size)")
  }
}
