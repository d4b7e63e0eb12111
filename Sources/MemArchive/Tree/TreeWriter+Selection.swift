extension TreeWriter {
  /// The entries, by position, that selected links lead to or over and that were not selected themselves.
  func missing() -> Set<Int> {
    var passed: [TreePath: Int] = [:]
    for (position, entry) in entries.enumerated() where EntryName.isSafeRelative(EntryName.raw(entry.name)) {
      let path = TreePath(raw: EntryName.raw(entry.name))
      if options.duplicates == .last || passed[path] == nil { passed[path] = position }
    }
    var missing: Set<Int> = []
    var links: [(TreePath, ArchiveEntry)] = []
    root.forEachBelow { node, path in
      if node.kind == .symlink || node.kind == .hardlink, let entry = node.entry {
        links.append((path, entry))
      }
    }
    // Each is added once, so that circles end.
    while let (path, entry) = links.popLast() {
      for position in Self.way(of: entry, at: path, among: passed, entries) {
        let path = TreePath(raw: EntryName.raw(entries[position].name))
        guard root.node(path) == nil, missing.insert(position).inserted else { continue }
        links.append((path, entries[position]))
      }
    }
    return missing
  }

  /// The entries that following a link leads over, its end among them.
  private static func way(
    of entry: ArchiveEntry, at path: TreePath, among passed: [TreePath: Int], _ entries: [ArchiveEntry]
  ) -> [Int] {
    let text = EntryName.raw(entry.link ?? "")
    switch entry.kind {
    case .hardlink: return passed[TreePath(raw: text)].map { [$0] } ?? []
    case .symlink: break
    default: return []
    }
    var way: [Int] = []
    var done = path.parent
    var rest = TreePath(raw: text).components
    var hops = 0
    guard text.first != UInt8(ascii: "/") else { return [] }
    while !rest.isEmpty {
      let component = rest.removeFirst()
      if component.elementsEqual("..".utf8) {
        guard !done.isTop else { break }
        done = done.parent
        continue
      }
      done = done.appending(component)
      guard let position = passed[done] else { continue }
      way.append(position)
      guard entries[position].kind == .symlink else { continue }
      let inner = EntryName.raw(entries[position].link ?? "")
      hops += 1
      guard inner.first != UInt8(ascii: "/"), hops <= 40 else { break }
      done = done.parent
      rest = TreePath(raw: inner).components + rest
    }
    return way
  }
}

/// Goes through an archive a second time, for the entries that selected links lead to.
struct TreeCompletion: EntryVisitor {
  let writer: TreeWriter
  let missing: Set<Int>
  private var position = -1

  init(_ writer: TreeWriter, _ missing: Set<Int>) { (self.writer, self.missing) = (writer, missing) }

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
  func note(_ error: ArchiveError) {
    if let entry = error.entry, missing.contains(where: { writer.entries[$0].name == entry }) {
      writer.note(error)
    }
  }

  func end(warnings: [ArchiveWarning], failedPosition: Int?) {}
}
