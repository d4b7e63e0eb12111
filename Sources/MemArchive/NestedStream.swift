/// The entries of an archive and, where wanted, of the archives in it, one at a time under the names that they have from
/// outside: the entries of an inner archive follow it. One inner archive for each level is held.
final class NestedStream {
  /// An archive that is being read.
  private final class Opened {
    let level: ArchiveLevel
    var stream: ArchiveStream

    init(_ level: ArchiveLevel, _ prefetch: Prefetch) throws(ArchiveError) {
      self.level = level
      stream = try level.reader.stream(in: level.context, prefetch)
    }
  }

  private let scope: NestedSelection
  /// The archives around the next entry, the outermost first.
  private var opened: [Opened]
  /// The content of the last entry, if it may be an archive.
  private var inner: (file: MemFile, entry: ArchiveEntry)?

  init(_ reader: ArchiveReader, _ selection: EntrySelection, in context: ExtractionContext)
    throws(ArchiveError)
  {
    scope = NestedSelection(selection, nested: context.options.nestedArchives)
    opened = [
      try Opened(ArchiveLevel(outermost: reader, in: context), scope.goesInside ? .allInStep : .eachInStep)
    ]
  }

  /// The next entry, or nil at the end.
  func next() throws(ArchiveError) -> ArchiveEntry? {
    try openInner()
    while let top = opened.last {
      do throws(ArchiveError) {
        guard let entry = try top.stream.next() else {
          opened.removeLast()
          continue
        }
        let full = top.level.full(entry)
        if scope.mayHold(full) { inner = (try top.stream.extract(), full) }
        return full
      } catch {
        // It only began like an archive.
        guard !top.level.isOutermost, error.saysNoArchive else { throw top.level.full(error) }
        opened.removeLast()
      }
    }
    return nil
  }

  /// The content of the entry that `next` returned last, under the entry's name; once for each.
  func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    if let inner { return inner.file.named(as: entry) }
    guard let top = opened.last else { throw .noSuchEntry(entry.name) }
    do throws(ArchiveError) {
      return try top.stream.extract().named(as: entry)
    } catch {
      throw top.level.full(error)
    }
  }

  /// Opens the last entry, if it is an archive.
  private func openInner() throws(ArchiveError) {
    guard let (file, entry) = inner, let top = opened.last else { return }
    inner = nil
    guard try file.mayBeArchive else { return }
    let level = top.level.inner(ArchiveReader(contentsOf: file), of: entry)
    do throws(ArchiveError) {
      try level.check()
      opened.append(try Opened(level, .allInStep))
    } catch {
      guard error.saysNoArchive else { throw error.naming(entry.name) }
    }
  }
}
