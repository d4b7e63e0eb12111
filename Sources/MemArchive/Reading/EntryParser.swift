/// One archive's entries as its format lays them out: libarchive, or the own zip reader.
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
  /// Whether reading cannot go on behind the last error.
  var isExhausted: Bool { get }
  /// Whether it is a tar of any dialect.
  var isTar: Bool { get }
  /// Whether it is a RAR of any version.
  var isRAR: Bool { get }
  /// Whether the content is that of a lone compressed file.
  var isRaw: Bool { get }
  /// Whether more bytes were asked for than there are.
  var sourceEnded: Bool { get }
  /// Whether anything but padding lies behind the archive's end, where its format has one and it can be told. To be called
  /// there; reads what is left.
  func hasDataBehindEnd() throws(ArchiveError) -> Bool
}
