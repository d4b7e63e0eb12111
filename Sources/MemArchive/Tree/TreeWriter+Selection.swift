extension TreeWriter {
  /// The entries, by position, that selected links lead to or over and that were not selected themselves.
  func missing() throws(ArchiveError) -> Set<Int> {
    let entries = entries
    var charge = Charge(area.space.ledger, entry: "links")
    let paths = try PathTable(
      of: entries, &charge, cancellation,
      where: { EntryName.isSafeRelative(EntryName.raw(entries[$0].name)) },
      replacing: { _, _ in options.duplicates == .last })
    var walker = SymlinkWalker(paths, entries, cancellation) { position in
      entries[position].kind == .symlink ? entries[position].link : nil
    }
    var links: [Int] = []
    root.forEachBelow { node, _ in
      if node.kind == .symlink || node.kind == .hardlink { links.append(node.position) }
    }
    var missing: Set<Int> = []
    func add(_ position: Int) {
      let path = TreePath(raw: EntryName.raw(entries[position].name))
      // Each is added once, so that circles end.
      guard root.node(path) == nil, missing.insert(position).inserted else { return }
      links.append(position)
    }
    while let position = links.popLast() {
      try cancellation.check()
      switch entries[position].kind {
      case .hardlink: paths.entry(at: paths.place(of: entries[position].link ?? "")).map { add($0) }
      case .symlink: _ = try walker.follow(position, met: add)
      default: continue
      }
    }
    return missing
  }
}

/// Goes through an archive a second time, for the entries that selected links lead to.
struct TreeCompletion: EntryVisitor {
  let writer: TreeWriter
  let missing: Set<Int>
  private let missingNames: Set<NameKey>
  private var position = -1

  init(_ writer: TreeWriter, _ missing: Set<Int>) {
    (self.writer, self.missing) = (writer, missing)
    missingNames = Set(missing.map { NameKey(writer.entries[$0].name) })
  }

  var destinations: MakeDestination? { writer.destinations }

  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    position += 1
    guard missing.contains(position) else { return false }
    guard writer.entries.indices.contains(position), writer.entries[position] == entry else {
      throw .corrupt("the archive changed while it was read", entry: entry.name)
    }
    return try writer.make(entry, position)
  }

  func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int) {
    writer.add(file, for: entry, position: position)
  }

  // What is damaged elsewhere was noted when it was met first.
  func note(_ error: ArchiveError) throws(ArchiveError) {
    if let entry = error.entry, missingNames.contains(NameKey(entry)) { try writer.note(error) }
  }

  func end(warnings: [ArchiveWarning], failedPosition: Int?) {}
}
