internal import SystemPackage

/// Fills a tree from an archive, and from those inside it.
struct TreeBuilder {
  let space: TreeSpace
  let selection: Selection
  private let nested: NestedArchives
  /// All that a wanted name could lie in, when entries are wanted by name.
  private let waysToNames: Set<NameKey>
  private(set) var entries: [ArchiveEntry] = []
  private var writers: [TreeWriter] = []
  private(set) var skipped: [ArchiveWarning] = []
  private(set) var warnings: WarningList
  var errors: [ArchiveError] = []

  init(_ space: TreeSpace, _ selection: Selection, nested: NestedArchives) {
    self.space = space
    warnings = WarningList(space.account.entries)
    self.selection = selection
    self.nested = nested
    waysToNames = nested == .expand ? selection.waysToNames : []
  }

  /// Makes the archive's entries below a directory.
  ///
  /// - Parameters:
  ///   - outer: The name of the archive that this one is an entry of, in full.
  ///   - level: How many archives this one lies in.
  mutating func build(
    _ reader: ArchiveReader, in context: ExtractionContext, below top: consuming OwnedDescriptor,
    inside outer: String? = nil, level: Int = 0
  ) throws(ArchiveError) {
    let (selection, nested, ways) = (selection, nested, waysToNames)
    let wantsAll = if case .all = selection.rule { true } else { false }
    let writer = TreeWriter(TreeArea(space, top: top), in: context, wantsAll: wantsAll) { entry in
      if wantsAll { return true }
      let entry = entry.inside(outer)
      return selection.includes(entry)
        || (nested == .expand && entry.kind == .file && selection.mayLie(in: entry, ways))
    }
    do throws(ArchiveError) {
      try read(reader, writer, in: context)
      try writer.settle()
    } catch {
      throw error.inside(outer)
    }
    writers.append(writer)
    for entry in writer.entries {
      entries.append(entry.inside(outer))
      // Under another name it is another.
      if let outer { try space.account.entries.hold(entry.cost + Int64(outer.utf8.count), entry: entry.name) }
    }
    skipped += outer == nil ? writer.skipped : writer.skipped.map { $0.inside(outer) }
    warnings.add(writer.warnings.all.map { $0.inside(outer) })
    errors += outer == nil ? writer.errors : writer.errors.map { $0.inside(outer) }
    if nested == .expand { try expand(writer, in: context, inside: outer, level: level) }
    try writer.close()
  }

  /// Every name that was asked for has to be there.
  func requireNames() throws(ArchiveError) {
    guard case .names(_, let names) = selection.rule else { return }
    let known = Set(entries.map { NameKey($0.name) } + errors.compactMap { $0.entry.map { NameKey($0) } })
    for name in names where !known.contains(NameKey(name)) { throw .noSuchEntry(name) }
  }

  private func read(
    _ reader: ArchiveReader, _ writer: TreeWriter, in context: ExtractionContext
  ) throws(ArchiveError) {
    var visitor = writer
    try reader.visit(&visitor, in: context)
    if case .all = selection.rule { return }
    let missing = try writer.missing()
    guard !missing.isEmpty, reader.pipe?.isTaken != true else { return }
    space.ledger.uncount(writer.entries.count)
    var completion = TreeCompletion(writer, missing)
    try reader.visit(&completion, in: context)
  }
}

extension Selection {
  /// The names that a name asked for begins with, up to a slash.
  var waysToNames: Set<NameKey> {
    guard case .names(let names, _) = rule else { return [] }
    var ways: Set<NameKey> = []
    for name in names.map(\.name) {
      for slash in name.utf8.indices where name.utf8[slash] == UInt8(ascii: "/") {
        ways.insert(NameKey(String(name[..<slash])))
      }
    }
    return ways
  }

  /// Whether a wanted entry may lie inside this file.
  func mayLie(in entry: ArchiveEntry, _ waysToNames: Set<NameKey>) -> Bool {
    guard case .names = rule else { return true }
    return waysToNames.contains(NameKey(entry.name))
  }
}
