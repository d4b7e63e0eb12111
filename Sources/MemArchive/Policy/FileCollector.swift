/// Collects extracted files by name, and decides selection, duplicates and links.
struct FileCollector: LinkFollowing {
  /// The state of an entry.
  enum Content {
    case file(MemFile)
    /// The content of the entry at this position, which can be read when it is asked for.
    case listed(Int)
    /// A regular entry whose content was not taken.
    case unread
    /// A hard link whose target was not taken, or has not arrived; with the entry that had the target's name at the time.
    case hardlink(String, at: Int?)
    case symlink(String)
    case other
  }

  struct Node {
    var content = Content.other
    var isSelected = false
    /// Whether its name leads to it rather than to another entry.
    var isNamed = false
    /// Whether a hard link leads to it, even if another entry takes its name later.
    var isLinked = false
  }

  private let selection: EntrySelection
  private let options: ExtractionOptions
  private let cancellation: Cancellation
  private var files: MemFiles
  /// Charged for kept entries.
  private let account: EntryAccount
  /// Warnings that follow those of the archive's reader.
  private var warnings: WarningList
  /// One for each entry, in order.
  private var nodes: [Node] = []
  /// The entry that a name leads to.
  private var positions: [NameKey: Int] = [:]
  private var groups = LinkGroups<NameKey>()

  init(_ selection: EntrySelection, in context: ExtractionContext) {
    self.selection = selection
    options = context.options
    cancellation = context.cancellation
    account = EntryAccount(context.ledger)
    warnings = WarningList(account)
    files = MemFiles(threads: options.threads, account)
  }

  /// If the first of two entries with the same name wins, the second must not be read, because it may be damaged.
  var prefetch: Prefetch {
    guard options.duplicates == .last || (options.duplicates == .reject && options.onError == .stop) else {
      return .onDemand
    }
    let exclude = selection.excluded.map(\.text)
    return switch selection.rule {
    case .all: .contents(exclude: exclude)
    case .names(let names, _): .named(names.map(\.name))
    case .globs(let globs): .contents(include: globs.map(\.text), exclude: exclude)
    case .matching: .onDemand
    }
  }

  var entries: [ArchiveEntry] { files.entries }
  var errors: [ArchiveError] { files.errors }

  /// Notes an entry, and returns whether its content is to be extracted and passed to `add`.
  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    let position = nodes.count
    try account.add(entry)
    files.entries.append(entry)
    nodes.append(Node())
    let key = NameKey(entry.name)
    // Looks up the link's own name first, which is cheaper: most links have one and lead elsewhere.
    if entry.kind == .hardlink, positions[key] != nil, entry.isLinkToItself { return false }
    guard try takesName(key, entry, position) else { return false }
    let isSelected = selection.matches(entry)
    nodes[position] = Node(isSelected: isSelected, isNamed: true)
    switch entry.kind {
    case .file:
      nodes[position].content = .unread
      return isSelected
    case .hardlink:
      let target = NameKey(entry.link ?? "")
      // The target is the entry that has the name now: a later entry with that name is another file.
      let found = positions[target]
      nodes[position].content = .hardlink(target.name, at: found)
      if let found {
        nodes[found].isLinked = true
        switch nodes[found].content {
        case .file, .listed: nodes[position].content = nodes[found].content
        default: break
        }
      }
      let group = groups.add(
        position, to: target, found, hasLinks: found.map { files.entries[$0].linkCount > 1 } ?? false,
        isWanted: isSelected || found.map { nodes[$0].isSelected } ?? false)
      return entry.hasContent && group.isWanted
    case .symlink:
      nodes[position].content = .symlink(entry.link ?? "")
      return false
    default:
      return false
    }
  }

  /// Takes the content of a wanted entry.
  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int) {
    if let file { add(.file(file), position) }
  }

  /// Notes that the content of a wanted entry can be read when it is asked for.
  mutating func list(_ position: Int) { add(.listed(position), position) }

  private mutating func add(_ content: Content, _ position: Int) {
    // Another entry with the same name may have arrived since.
    if nodes[position].isNamed || nodes[position].isLinked || groups[of: position] != nil {
      nodes[position].content = content
    }
    groups.fill(by: position)
  }

  /// Notes an entry that could not be extracted.
  mutating func note(_ error: ArchiveError) throws(ArchiveError) {
    try account.add(error)
    files.errors.append(error)
  }

  mutating func end(warnings: [ArchiveWarning], failedPosition _: Int?) {
    files.warningList.add(warnings)
    for group in groups.all {
      guard let content = group.content else { continue }
      for position in group.links { nodes[position].content = nodes[content].content }
      if let target = group.target { nodes[target].content = nodes[content].content }
    }
  }

  mutating func setProtection(_ protection: SandboxProtection?) { files.protection = protection }

  /// The positions of entries that selected links lead to and that were not taken.
  func missing(_ ledger: Ledger) throws(ArchiveError) -> Set<Int> {
    // Usually everything was taken.
    guard nodes.contains(where: { if case .unread = $0.content { true } else { false } }) else { return [] }
    var resolver = LinkResolver(files.entries, nodes, positions, ledger, cancellation)
    var missing: Set<Int> = []
    for (position, node) in nodes.enumerated() where node.isNamed && node.isSelected && node.isLink {
      if case .entry(let end) = try resolver.resolve(position), case .unread = nodes[end].content {
        missing.insert(end)
      }
    }
    return missing
  }

  func wantsMissing(_: ArchiveEntry, _: Int) -> Bool { true }

  /// The files under their names, in the archive's order.
  mutating func finish(_ ledger: Ledger) throws(ArchiveError) -> MemFiles {
    var found: [MemFile?] = []
    found.reserveCapacity(nodes.count)
    try forEachContent(ledger) { content in
      let file: MemFile? = if case .file(let file) = content { file } else { nil }
      found.append(file)
    }
    let selected = selection.isAll ? positions : positions.filter { nodes[$0.value].isSelected }
    files.setFiles(found, selected)
    files.warningList.add(warnings.all)
    try files.warnAboutEquivalentNames(cancellation)
    return files
  }

  /// What the names of a listing lead to.
  struct Listing {
    /// No file is in it.
    let files: MemFiles
    /// For each entry the position of the one whose content its name leads to; nil where it leads to none.
    let contents: [Int?]
    /// The entry that each name leads to.
    let positions: [NameKey: Int]
  }

  mutating func finishListing(_ ledger: Ledger) throws(ArchiveError) -> Listing {
    var contents: [Int?] = []
    contents.reserveCapacity(nodes.count)
    try forEachContent(ledger) { content in
      let position: Int? = if case .listed(let position) = content { position } else { nil }
      contents.append(position)
    }
    files.warningList.add(warnings.all)
    return Listing(files: files, contents: contents, positions: positions)
  }

  /// Calls `body` for each entry with what its name leads to.
  private mutating func forEachContent(
    _ ledger: Ledger, _ body: (Content?) -> Void
  ) throws(ArchiveError) {
    var resolver = LinkResolver(files.entries, nodes, positions, ledger, cancellation)
    var check = PeriodicCheck(cancellation)
    let failed = Set(files.errors.compactMap { $0.entry.map { NameKey($0) } })
    for (position, node) in nodes.enumerated() {
      try check.step()
      body(try content(at: position, node, &resolver, failed))
    }
    try options.check(selection, in: entries, errors, &warnings) { positions[NameKey($0)] != nil }
  }

  /// The content that an entry's name leads to, through links.
  private mutating func content(
    at position: Int, _ node: Node, _ resolver: inout LinkResolver, _ failed: Set<NameKey>
  ) throws(ArchiveError) -> Content? {
    guard node.isNamed, node.isSelected else { return nil }
    switch node.content {
    case .file, .listed: return node.content
    default: break
    }
    guard node.isLink else {
      try requireFile(position)
      return nil
    }
    switch try resolver.resolve(position) {
    case .nowhere(let why): try unavailable(position, why)
    case .entry(let end):
      switch nodes[end].content {
      case .file, .listed: return nodes[end].content
      case .unread:
        let name = files.entries[end].name
        try unavailable(
          position,
          failed.contains(NameKey(name))
            ? ArchiveError.targetFailed(name) : ArchiveError.targetGoneBy(name))
      case .hardlink, .symlink, .other: try requireFile(position)
      }
    }
    return nil
  }

  private mutating func unavailable(_ position: Int, _ why: String) throws(ArchiveError) {
    try options.unavailable(files.entries[position].name, why, isRequired: selection.isByName, &warnings)
  }

  private func requireFile(_ position: Int) throws(ArchiveError) {
    // An entry that could not be read is already among the errors.
    guard selection.isByName, case .other = nodes[position].content else { return }
    throw .notAFile(files.entries[position])
  }

  /// Whether an entry takes its name, which an earlier entry may have.
  private mutating func takesName(
    _ key: NameKey, _ entry: ArchiveEntry, _ position: Int
  ) throws(ArchiveError) -> Bool {
    guard let earlier = positions.updateValue(position, forKey: key) else { return true }
    // Many writers repeat directories, which loses nothing.
    if entry.kind != .directory || files.entries[earlier].kind != .directory {
      // Restored, unless the later entry keeps the name.
      positions[key] = earlier
      guard try options.replacesEarlier(entry.name, &warnings) else { return false }
      positions[key] = position
    }
    nodes[earlier].isNamed = false
    // Releases its file, if there is one.
    if !nodes[earlier].isLinked, groups[of: earlier] == nil { nodes[earlier] = Node() }
    return true
  }
}

extension FileCollector.Node {
  var isLink: Bool {
    switch content {
    case .hardlink, .symlink: true
    case .file, .listed, .unread, .other: false
    }
  }
}

extension EntrySelection {
  fileprivate var isAll: Bool { if case .all = rule { excluded.isEmpty } else { false } }

  fileprivate var isByName: Bool { !requiredNames.isEmpty }

  /// Whether an entry itself is selected, whatever links lead to it.
  public func matches(_ entry: ArchiveEntry) -> Bool {
    guard !excludes(entry.name) else { return false }
    switch rule {
    case .all: return true
    case .names(let names, _): return names.contains(NameKey(entry.name))
    case .globs(let patterns):
      let name = Glob.cString(entry.name)
      return patterns.contains { $0.matches(name) }
    case .matching(let predicate): return predicate(entry)
    }
  }
}
