internal import SealedMemory
internal import SystemPackage

/// Fills a tree from an archive and the archives inside it.
struct TreeBuilder {
  let space: TreeFileSystem
  let scope: NestedSelection
  private(set) var entries: [ArchiveEntry] = []
  private(set) var skipped: [ArchiveWarning] = []
  private(set) var warnings: WarningList
  var errors: [ArchiveError] = []

  init(_ space: TreeFileSystem, _ selection: Selection, nested: NestedArchives) {
    self.space = space
    warnings = WarningList(space.account.entries)
    scope = NestedSelection(selection, nested: nested)
  }

  /// Creates the archive's entries below a directory.
  ///
  /// - Parameters:
  ///   - outer: The full name of the archive that contains this one.
  ///   - level: The number of archives around this one.
  mutating func build(
    _ reader: ArchiveReader, in context: ExtractionContext, below top: consuming OwnedDescriptor,
    inside outer: String? = nil, level: Int = 0
  ) throws(ArchiveError) {
    let scope = scope
    let writer = TreeWriter(TreeArea(space, top: top), in: context, wantsAll: scope.wantsAll) { entry in
      let entry = entry.inside(outer)
      return scope.wants(entry) || scope.mayHold(entry)
    }
    do throws(ArchiveError) {
      var visitor = writer
      _ = try reader.visitFollowingLinks(&visitor, in: context)
      try writer.settle()
    } catch {
      throw error.inside(outer)
    }
    for entry in writer.entries {
      entries.append(entry.inside(outer))
      // Under their long names they are copies, and charged as such.
      if let outer { try space.account.entries.hold(entry.cost + Int64(outer.utf8.count), entry: entry.name) }
    }
    skipped += outer == nil ? writer.skipped : writer.skipped.map { $0.inside(outer) }
    warnings.add(writer.warnings.all.map { $0.inside(outer) })
    errors += outer == nil ? writer.errors : writer.errors.map { $0.inside(outer) }
    if scope.goesInside { try expand(writer, in: context, inside: outer, level: level) }
    try writer.close()
  }

  /// Throws if a requested name is missing.
  func requireNames() throws(ArchiveError) {
    let names = scope.selection.requiredNames
    guard !names.isEmpty else { return }
    let known = Set(entries.map { NameKey($0.name) } + errors.compactMap { $0.entry.map { NameKey($0) } })
    for name in names where !known.contains(NameKey(name)) { throw .noSuchEntry(name) }
  }
}
