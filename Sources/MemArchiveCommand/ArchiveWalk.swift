import MemArchive

/// The entries of an archive that options admit, one after another, on whichever thread takes the next.
final class ArchiveWalk {
  private let archive: Archive
  private let options: WalkOptions
  private let prefetch: Prefetch
  private let showsEntries: Bool
  private let context: ExtractionContext
  /// nil until the first entry is asked for.
  private var stream: NestedStream?
  private var isMatched = false
  private var isEnded = false
  /// What was met so far.
  private(set) var status = ExitStatus.done
  /// The number of entries so far, admitted or not.
  private(set) var position = 0

  /// - Parameters:
  ///   - prefetch: The content that will be requested.
  ///   - showsEntries: Whether --verbose shows each entry.
  ///   - isSparing: Whether only some entries are wanted, so that no others need be read.
  init(
    _ archive: Archive, _ options: WalkOptions, _ prefetch: Prefetch, storage: ExtractionOptions.Storage,
    showsEntries: Bool, isSparing: Bool = false
  ) {
    context = (isSparing ? archive.context.sparing : archive.context).storing(storage)
    (self.archive, self.options, self.prefetch) = (archive, options, prefetch)
    self.showsEntries = showsEntries && options.reading.verbose
  }

  /// Calls `visit` for the next entry, as ``Archive/walk(_:_:storage:showsEntries:_:)`` does for each; false at the end.
  func next(_ visit: (ArchiveEntry, _ inside: String?, Archive.Content) throws -> Void) throws -> Bool {
    if stream == nil, !isEnded { open() }
    while let stream, !isEnded {
      do {
        let entry = try stream.next { entry in
          if showsEntries { Diagnostics.report("\(archive.name): \(entry.kind) \(entry.name)") }
        }
        guard let entry else { break }
        position += 1
        guard options.admits(entry) else { continue }
        isMatched = true
        try visit(entry, stream.archive) { () throws(ArchiveError) in try stream.extract(entry) }
        return true
      } catch let error as ArchiveError {
        status = status.and(archive.report(error.naming(stream.archive)))
        // A timeout of all is not one of an inner archive's worker.
        if !options.keepGoing || error.code == .timedOut && !archive.context.hasTimeLeft { break }
      }
    }
    end()
    return false
  }

  private func open() {
    do throws(ArchiveError) {
      let opened = try NestedStream(
        archive.reader, nested: options.nested, prefetch, in: context
      ) { [archive, options] in archive.report($0, options.reading) }
      archive.report(opened.protection, options.reading)
      stream = opened
    } catch {
      status = status.and(archive.report(error))
    }
  }

  private func end() {
    guard !isEnded else { return }
    isEnded = true
    stream?.end()
    stream = nil
    status = status.and(archive.reportUnmatched(options, status, isMatched: isMatched))
  }
}
