internal import SealedMemory
internal import SystemPackage

/// Fills a tree from an archive and the archives inside it.
struct TreeBuilder {
  let space: TreeFileSystem
  let scope: NestedSelection
  /// Where the outermost archive's top will be mounted, if that is known.
  let place: FilePath?
  private(set) var entries: [ArchiveEntry] = []
  var skipped: [ArchiveWarning] = []
  private(set) var warnings: WarningList
  var errors: [ArchiveError] = []
  private var hasLinks = false

  init(
    _ space: TreeFileSystem, _ selection: EntrySelection, nested: ExtractionOptions.NestedArchives,
    at place: FilePath? = nil
  ) {
    self.space = space
    self.place = place
    warnings = WarningList(space.account.entries)
    scope = NestedSelection(selection, nested: nested)
  }

  /// Creates the archive's entries below a directory.
  mutating func build(
    _ level: ArchiveLevel, below top: consuming OwnedDescriptor
  ) throws(ArchiveError) {
    let scope = scope
    let writer = TreeWriter(
      TreeArea(space, top: top), in: level.context, wantsAll: scope.wantsAll,
      place: level.isOutermost ? place : nil
    ) { entry in
      let entry = level.full(entry)
      return scope.wants(entry) || scope.mayHold(entry)
    }
    do throws(ArchiveError) {
      var visitor = writer
      _ = try level.reader.visitFollowingLinks(&visitor, in: level.context)
      try writer.settle()
    } catch {
      throw level.full(error)
    }
    for entry in writer.entries {
      entries.append(level.full(entry))
      // Under their long names they are copies, and charged as such.
      if let outer = level.name {
        try space.account.entries.hold(entry.cost + Int64(outer.utf8.count), entry: entry.name)
      }
    }
    skipped += level.isOutermost ? writer.skipped : writer.skipped.map { level.full($0) }
    warnings.add(writer.warnings.all.map { level.full($0) })
    errors += level.isOutermost ? writer.errors : writer.errors.map { level.full($0) }
    if scope.goesInside { try expand(writer, level) }
    hasLinks = hasLinks || !writer.links.isEmpty
    if level.isOutermost, hasLinks {
      try takeAwayLinksThatLeadOut(below: writer.area.top.descriptor, level.context)
    }
    try writer.close()
  }

  /// Notes what one of several layers had.
  mutating func add(
    _ entries: [ArchiveEntry], skipped: [ArchiveWarning], warnings: [ArchiveWarning], errors: [ArchiveError]
  ) {
    self.entries += entries
    self.skipped += skipped
    self.warnings.add(warnings)
    self.errors += errors
  }

  /// Throws if a requested name is missing.
  mutating func requireNames(_ options: ExtractionOptions) throws(ArchiveError) {
    let known =
      scope.selection.requiredNames.isEmpty
      ? [] : Set(entries.map { NameKey($0.name) } + errors.compactMap { $0.entry.map { NameKey($0) } })
    try options.check(scope.selection, in: entries, errors, &warnings) { known.contains(NameKey($0)) }
  }
}
