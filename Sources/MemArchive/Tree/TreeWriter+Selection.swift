extension TreeWriter: LinkFollowing {
  func wantsMissing(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool {
    try make(entry, position)
  }

  /// Notes the entries that links in the tree lead to or through, and those that carry content of entries in the tree;
  /// returns the positions of those that were not selected themselves.
  func missing(_ ledger: Ledger) throws(ArchiveError) -> Set<Int> {
    if wantsAll { return [] }
    let entries = entries
    var charge = Charge(ledger, entry: "links")
    // A hard link leads to the entry that had the name when the link was read.
    var targets: [Int: Int] = [:]
    var carriers: [Int: Int] = [:]
    let all = try EntryIndex(
      of: entries, &charge, cancellation,
      where: { position, earlier in
        let entry = entries[position]
        if entry.kind == .hardlink, let target = earlier.entry(named: entry.link ?? "") {
          targets[position] = target
          if entry.hasContent { carriers[target] = position }
        }
        return EntryName.isSafeRelative(key: entry.name)
      }, replacing: { _, _ in options.duplicates == .last })
    var walker = SymlinkWalker(all, entries, cancellation) { position in
      entries[position].kind == .symlink ? entries[position].link : nil
    }
    let made = Set(index.allNodes.compactMap { index[$0] })
    var waiting = Array(made)
    func add(_ position: Int) {
      // Each is added once, so that circular links end.
      if needed.insert(position).inserted, !made.contains(position) { waiting.append(position) }
    }
    while let position = waiting.popLast() {
      try cancellation.check()
      let entry = entries[position]
      switch entry.kind {
      case .hardlink: (targets[position] ?? all.entry(named: entry.link ?? "")).map(add)
      case .symlink: _ = try walker.follow(position, met: add)
      case .file where entry.mayGetContentLater: carriers[position].map(add)
      default: continue
      }
    }
    return needed.filter { index.node(of: path(of: $0).bytes.span) == nil }
  }
}
