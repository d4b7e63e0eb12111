/// Gathers extracted files under their names: selection, duplicates and links are decided here.
struct FileCollector: EntryVisitor {
  /// What stands under a name so far.
  enum Content {
    case file(MemFile)
    /// A regular entry whose content was not taken.
    case unread
    /// A hard link whose target was not taken, or has not come.
    case hardlink(String)
    case symlink(String)
    case other
  }

  struct Node {
    let position: Int
    var content: Content
    let isSelected: Bool
  }

  private let selection: Selection
  private let duplicates: ExtractionOptions.Duplicates
  private let strictLinks: Bool
  private var files = MemFiles()
  private var warnings: [ArchiveWarning] = []
  private var nodes: [NameKey: Node] = [:]
  /// The names that share one content, by the name that they were linked to: cpio gives the content with the last.
  private var linked: [NameKey: [NameKey]] = [:]

  init(_ selection: Selection, options: ExtractionOptions) {
    self.selection = selection
    duplicates = options.duplicates
    strictLinks = options.strictLinks
  }

  /// What is wanted does not depend on the files: a worker can decide it for itself.
  var rule: VisitRule {
    switch selection.rule {
    case .all where duplicates == .last: .contents(include: [], exclude: [])
    case .all: .collected(.all, duplicates)
    case .names(_, let names): .collected(.names(names), duplicates)
    case .globs(let globs): .collected(.globs(globs.map(\.text)), duplicates)
    case .matching: .ask
    }
  }

  /// The number of entries met.
  var entryCount: Int { files.entries.count }

  /// Notes an entry; whether its content is to be extracted and then given to `add`.
  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    let position = files.entries.count
    files.entries.append(entry)
    let key = NameKey(entry.name)
    // Some writers give a file with several names a hard link to itself.
    if entry.kind == .hardlink, !entry.hasContent, entry.link.map({ NameKey($0) }) == key, nodes[key] != nil {
      return false
    }
    guard try displaces(key, entry) else { return false }
    var node = Node(position: position, content: .other, isSelected: selection.includes(entry))
    defer { nodes[key] = node }
    switch entry.kind {
    case .file:
      node.content = .unread
      return node.isSelected
    case .hardlink:
      let target = NameKey(entry.link ?? "")
      let group = linked[target, default: []] + [key]
      linked[target] = group
      node.content = .hardlink(target.name)
      // The target's content is taken as it stands now: a later entry of that name is another file.
      if case .file(let file)? = nodes[target]?.content { node.content = .file(file) }
      guard entry.hasContent else { return false }
      return node.isSelected || (group + [target]).contains { nodes[$0]?.isSelected ?? false }
    case .symlink:
      node.content = .symlink(entry.link ?? "")
      return false
    default:
      return false
    }
  }

  /// Takes the content of an entry that was wanted.
  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int) {
    guard let file else { return }
    let key = NameKey(entry.name)
    // Another entry of the same name may have come meanwhile.
    if let index = nodes.index(forKey: key), nodes.values[index].position == position {
      nodes.values[index].content = .file(file)
    }
    guard entry.kind == .hardlink, let target = entry.link.map({ NameKey($0) }) else { return }
    for key in linked[target, default: []] + [target] { nodes[key]?.content = .file(file) }
  }

  /// Notes what could not be extracted.
  mutating func note(_ error: ArchiveError) { files.errors.append(error) }

  mutating func end(warnings: [ArchiveWarning], failedPosition _: Int?) { files.warnings += warnings }

  mutating func setProtection(_ protection: Protection?) { files.protection = protection }

  /// The entries, by position, whose content selected links lead to and that were not taken.
  func missing() -> Set<Int> {
    // Most archives have no such link, and the resolver looks at every name.
    guard nodes.values.contains(where: { $0.isSelected && $0.isLink }) else { return [] }
    let resolver = LinkResolver(nodes)
    var missing: Set<Int> = []
    for (key, node) in nodes where node.isSelected && node.isLink {
      if case .entry(let end) = resolver.resolve(key), case .unread? = nodes[end]?.content,
        let node = nodes[end]
      {
        missing.insert(node.position)
      }
    }
    return missing
  }

  /// Takes the content of an entry that was missing.
  mutating func fill(_ file: MemFile, for entry: ArchiveEntry, position: Int) throws(ArchiveError) {
    guard files.entries.indices.contains(position), files.entries[position] == entry else {
      throw .corrupt("the archive changed while it was read", entry: entry.name)
    }
    nodes[NameKey(entry.name)]?.content = .file(file)
  }

  /// The files under their names, in the archive's order.
  mutating func finish() throws(ArchiveError) -> MemFiles {
    lazy var resolver = LinkResolver(nodes)
    files.reserve(nodes.count)
    for (position, entry) in files.entries.enumerated() {
      let key = NameKey(entry.name)
      // A name is that of one entry.
      guard let node = nodes[key], node.position == position, node.isSelected else { continue }
      if case .file(let file) = node.content {
        files.append(file, named: key.name)
      } else if node.isLink {
        switch resolver.resolve(key) {
        case .entry(let end):
          if case .file(let file)? = nodes[end]?.content {
            files.append(file, named: key.name)
          } else if case .unread? = nodes[end]?.content {
            try unavailable(
              key,
              "its target \"\(end.name)\" had gone by when the link was met, and a pipe cannot be read again")
          } else {
            try requireFile(key)
          }
        case .nowhere(let why): try unavailable(key, why)
        }
      } else {
        try requireFile(key)
      }
    }
    if case .names(_, let names) = selection.rule,
      let name = names.first(where: { nodes[NameKey($0)] == nil })
    {
      throw .noSuchEntry(name)
    }
    files.warnings += warnings
    files.warnAboutEquivalentNames()
    return files
  }

  /// A link that leads to no content: an error when it was asked for by name or none may do so, otherwise a note.
  private mutating func unavailable(_ key: NameKey, _ why: String) throws(ArchiveError) {
    guard strictLinks || selection.isByName else {
      warnings.append(ArchiveWarning(entry: key.name, text: "the link leads to no file: " + why))
      return
    }
    throw ArchiveError(
      .linkTargetUnavailable, entry: key.name, "the link leads to no file: " + why,
      advice: "Select the target itself, or give the archive as a file.")
  }

  private func requireFile(_ key: NameKey) throws(ArchiveError) {
    // What could not be read is among the errors already.
    guard case .names = selection.rule, let node = nodes[key], case .other = node.content else { return }
    throw .notAFile(files.entries[node.position])
  }

  /// Whether an entry takes its name, which another entry may have already.
  private mutating func displaces(_ key: NameKey, _ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    guard let earlier = nodes[key].map({ files.entries[$0.position] }) else { return true }
    // A directory is repeated by many writers, and nothing is lost.
    if entry.kind == .directory, earlier.kind == .directory { return true }
    switch duplicates {
    case .reject:
      throw .duplicate(entry.name)
    case .first:
      warnings.append(.leftOut(entry.name))
      return false
    case .last:
      warnings.append(.replaced(entry.name))
      return true
    }
  }
}

extension FileCollector.Node {
  fileprivate var isLink: Bool {
    switch content {
    case .hardlink, .symlink: true
    case .file, .unread, .other: false
    }
  }
}

extension Selection {
  fileprivate var isByName: Bool { if case .names = rule { true } else { false } }

  /// Whether an entry is selected by itself.
  func includes(_ entry: ArchiveEntry) -> Bool {
    switch rule {
    case .all: true
    case .names(let names, _): names.contains(NameKey(entry.name))
    case .globs(let patterns):
      {
        let name = Glob.cString(entry.name)
        return patterns.contains { $0.matches(name) }
      }()
    case .matching(let predicate): predicate(entry)
    }
  }
}
