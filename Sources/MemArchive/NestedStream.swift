/// The entries of an archive and, where wanted, of the archives in it, one at a time under the names that they have from
/// outside: the entries of an inner archive follow it. One inner archive for each level is held.
package final class NestedStream {
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
  private let closed: ([ArchiveWarning]) -> Void
  /// The archives around the next entry, the outermost first.
  private var opened: [Opened]
  /// The content of the last entry, if it may be an archive.
  private var inner: (file: MemFile, entry: ArchiveEntry)?

  /// - Parameters:
  ///   - prefetch: The content that will be requested if inner archives are kept as files.
  ///   - closed: Called with the warnings of each archive once nothing more of it is read.
  package init(
    _ reader: ArchiveReader, _ selection: EntrySelection = .all, nested: ExtractionOptions.NestedArchives,
    _ prefetch: Prefetch = .eachInStep, in context: ExtractionContext,
    closed: @escaping ([ArchiveWarning]) -> Void = { _ in }
  ) throws(ArchiveError) {
    scope = NestedSelection(selection, nested: nested)
    self.closed = closed
    opened = [
      try Opened(ArchiveLevel(outermost: reader, in: context), scope.goesInside ? .allInStep : prefetch)
    ]
  }

  /// The full name of the archive that the last entry lies in; nil for the outermost one.
  package var archive: String? { opened.last?.level.name }

  /// The protection in effect while the archive that the next entry lies in is read.
  package var protection: SandboxProtection? { opened.last?.stream.protection }

  /// The next entry, or nil at the end. After an error the next call continues as that of a stream does; after that of an
  /// inner archive that cannot be opened, with what follows it.
  ///
  /// - Parameter met: Called with the entry before its content is extracted because it may be an archive.
  package func next(met: (ArchiveEntry) -> Void = { _ in }) throws(ArchiveError) -> ArchiveEntry? {
    try openInner()
    while let top = opened.last {
      do throws(ArchiveError) {
        guard let entry = try top.stream.next() else {
          close()
          continue
        }
        let full = top.level.full(entry)
        met(full)
        if full.hasContent, scope.leadsInto(full.name) { inner = (try top.stream.extract(), full) }
        return full
      } catch {
        // It only began like an archive.
        guard !top.level.isOutermost, error.saysNoArchive else { throw top.level.full(error) }
        close()
      }
    }
    return nil
  }

  /// The content of the entry that `next` returned last, under the entry's name; once for each.
  package func extract(_ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    if let inner { return inner.file.named(as: entry) }
    guard let top = opened.last else { throw .noSuchEntry(entry.name) }
    do throws(ArchiveError) {
      return try top.stream.extract().named(as: entry)
    } catch {
      throw top.level.full(error)
    }
  }

  /// Reads no more of any archive.
  package func end() {
    while !opened.isEmpty { close() }
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
      guard error.saysNoArchive else { throw level.full(error) }
    }
  }

  private func close() {
    let archive = opened.removeLast()
    closed(archive.stream.warnings.map(archive.level.full))
  }
}
