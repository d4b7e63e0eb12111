internal import Synchronization

/// The entries of an archive whose content is extracted when it is first asked for; see <doc:Lazily>.
///
/// ```swift
/// let files = try ArchiveReader(path: "fonts.zip").lazyFiles()  // names, sizes, times: no content has been read
/// let serif = try files.file("serif.ttf")  // this entry alone is read, and verified
/// ```
///
/// It is the collection of the names that lead to content, each with its entry, in the archive's order. Copies share what has been
/// extracted. The archive stays open until the last copy is gone, so that what is put in its place later is never read.
///
/// ``ExtractionOptions/limits`` apply to everything that is extracted over its whole life, as if it had been extracted at once;
/// ``ExtractionOptions/timeout`` to the listing and to each request by itself. With ``ExtractionOptions/sandbox`` each request is
/// read by a worker of its own.
public struct LazyMemFiles: Sendable {
  private let contents: LazyContents

  init(_ contents: LazyContents) { self.contents = contents }

  /// All entries of the archive, of every kind, in its order.
  public var entries: [ArchiveEntry] { contents.listing.files.entries }
  /// What could not be listed and why, with ``ExtractionOptions/ErrorPolicy/keepGoing``.
  public var errors: [ArchiveError] { contents.listing.files.errors }
  /// What was odd about the archive when it was listed; see ``MemFiles/warnings``.
  public var warnings: [ArchiveWarning] { contents.listing.files.warnings }
  /// The protection in effect while a worker listed the archive; `nil` if this process did.
  public var protection: SandboxProtection? { contents.listing.files.protection }

  /// Where the compression around the archive can be begun from, for a tar, cpio or ar in one stream of gzip: what listing it has
  /// noted, or what was given. `nil` for all others.
  ///
  /// It is in sealed memory; saved, such as by `write(to:)`, and given to `lazyFiles(index:)`
  /// later, it spares that the archive is decoded from its beginning. It takes about 8 KiB for each MiB of content.
  public var index: MemFile? { contents.index }

  /// The names that lead to content, in order.
  public var names: [String] { map(\.name) }

  /// The entry with this name, of any kind; `nil` when there is none. Names are compared byte by byte.
  public subscript(name: String) -> ArchiveEntry? {
    contents.listing.positions[NameKey(name)].map { contents.listing.files.entries[$0] }
  }

  /// The content that a name leads to, through links: extracted now, unless it has been before and was kept.
  ///
  /// Callers that ask for the same content at the same time share one extraction.
  ///
  /// - Parameters:
  ///   - name: An entry's name, byte by byte.
  ///   - keeping: Whether the file is kept for later requests, until ``release(_:)``; otherwise it is the caller's alone.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/noSuchEntry``, ``ArchiveError/Code/notAFile``,
  ///   ``ArchiveError/Code/linkTargetUnavailable``; ``ArchiveError/Code/archiveChanged`` if the archive is not what it was when it
  ///   was listed, and never another entry's content; and with the codes of ``ArchiveStream/extract()``. A later request for the
  ///   same name tries again.
  public func file(_ name: String, keeping: Bool = true) throws(ArchiveError) -> MemFile {
    let position = try contents.position(of: name)
    if let file = contents.kept(position) { return file }
    return try contents.file(position, keeping: keeping, in: contents.context())
  }

  /// The content that a name leads to, extracted on a thread of its own; otherwise like the synchronous form.
  ///
  /// Cancelling the task ends the extraction, or the waiting for one that another caller has begun, whom it does not concern.
  public func file(_ name: String, keeping: Bool = true) async throws(ArchiveError) -> MemFile {
    let position = try contents.position(of: name)
    if let file = contents.kept(position) { return file }
    let contents = contents
    return try await contents.options.pool.run({ contents.context() }) { context throws(ArchiveError) in
      try contents.file(position, keeping: keeping, in: context)
    }
  }

  /// Keeps the content that a name leads to no longer. Files that are held elsewhere stay open.
  public func release(_ name: String) {
    if let position = try? contents.position(of: name) { contents.release([position]) }
  }

  /// Keeps no content any longer. Files that are held elsewhere stay open.
  public func releaseAll() { contents.release(nil) }
}

extension LazyMemFiles: RandomAccessCollection {
  /// 0.
  public var startIndex: Int { 0 }
  /// The number of names that lead to content.
  public var endIndex: Int { contents.named.count }
  /// A name and its entry, which is a link if the content is another's.
  public subscript(position: Int) -> (name: String, entry: ArchiveEntry) {
    let entry = contents.listing.files.entries[contents.named[position]]
    return (entry.name, entry)
  }
}

extension LazyMemFiles: CustomStringConvertible {
  /// The number of files and the first names, in one line, escaped like ``ArchiveError/description``.
  public var description: String {
    let shown = prefix(10).map { "\"\($0.name)\"" } + (count > 10 ? ["..."] : [])
    return PlainText.escaped("LazyMemFiles(\(count) files: \(shown.joined(separator: ", ")))")
  }
}

extension ArchiveReader {
  /// The selected entries, listed now; the content of each is extracted when it is first asked for.
  ///
  /// Listing reads no more than headers of a zip, a 7z and an uncompressed tar or cpio; <doc:Lazily> says what is read of others. A
  /// pipe is put into memory first. Archives inside the archive are files, whatever ``ExtractionOptions/nestedArchives`` says.
  ///
  /// - Parameters:
  ///   - selection: Which entries; all of them by default.
  ///   - index: What ``LazyMemFiles/index`` was when this archive was listed before. It is compared with the archive, and so is what
  ///     is decoded by it with the checksums in it; keep it where nobody can forge it, for a forged one can lead to other content.
  ///   - options: As for `extract`; limits count over the life of what is returned.
  /// - Throws: ``ArchiveError`` with the codes of ``stream(options:)``; ``ArchiveError/Code/noSuchEntry`` when the archive lacks a
  ///   selected name, and ``ArchiveError/Code/duplicateEntry``; ``ArchiveError/Code/archiveChanged`` for an index of another archive,
  ///   and ``ArchiveError/Code/corrupt`` for one that is damaged.
  public func lazyFiles(
    _ selection: EntrySelection = .all, index: MemFile? = nil,
    options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> LazyMemFiles {
    try LazyMemFiles(LazyContents(self, selection, index: index, in: ExtractionContext(options)))
  }

  /// The selected entries, listed on a thread of its own; otherwise like the synchronous form.
  public func lazyFiles(
    _ selection: EntrySelection = .all, index: MemFile? = nil,
    options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> LazyMemFiles {
    try await options.pool.run({ ExtractionContext(options) }) { context throws(ArchiveError) in
      try LazyMemFiles(LazyContents(self, selection, index: index, in: context))
    }
  }

  package func lazyFiles(
    _ selection: EntrySelection = .all, index: MemFile? = nil, in context: ExtractionContext
  ) throws(ArchiveError) -> LazyMemFiles {
    try LazyMemFiles(LazyContents(self, selection, index: index, in: context))
  }
}
