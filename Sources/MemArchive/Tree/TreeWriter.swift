internal import SystemPackage

/// Makes the entries of one archive in a tree: what an entry is called and whether it may be there is decided here, in the
/// archive's order; content is filled in by ``TreeFiller``, on whatever thread.
///
/// No link is ever followed while it is filled, and nothing that an archive says reaches beyond the area's top.
final class TreeWriter: EntryVisitor {
  /// What has to wait until all content is there, in the archive's order.
  enum Step {
    /// Gives what is on the stage its name, in place of what has it.
    case place(TreeArea.Target, at: TreePath, position: Int)
    case link(TreePath, to: TreePath, position: Int)
    /// The content of a hard link is that of all who share it (cpio): so many of a group.
    case share(TreeArea.Target, group: Int, count: Int, position: Int)
  }

  /// Names that share one content: that of a file, and the links to it.
  struct LinkGroup {
    let target: TreePath
    var links: [(path: TreePath, position: Int)] = []
  }

  let area: TreeArea
  let options: ExtractionOptions
  let cancellation: Cancellation
  let prefetch: Prefetch
  private let isWanted: (ArchiveEntry) -> Bool
  let root = TreeNode(.directory, component: [])
  private(set) var entries: [ArchiveEntry] = []
  private(set) var skipped: [ArchiveWarning] = []
  private(set) var warnings: WarningList
  private(set) var errors: [ArchiveError] = []
  private(set) var steps: [Step] = []
  /// The symbolic links, each with its entry's position.
  var links: [(path: TreePath, position: Int)] = []
  private(set) var groups: [LinkGroup] = []
  /// By the name that they link to.
  private var groupNumbers: [TreePath: Int] = [:]
  /// Content that was taken, by position.
  private(set) var filled: Set<Int> = []
  /// The directory at hand.
  private var lastDirectory: (path: TreePath, raw: RawPath, node: TreeNode)

  /// - Parameter wantsAll: Whether `isWanted` is true of every entry.
  init(
    _ area: TreeArea, in context: ExtractionContext, wantsAll: Bool,
    isWanted: @escaping (ArchiveEntry) -> Bool
  ) {
    self.area = area
    warnings = WarningList(area.space.account.entries)
    // The first of two entries with one name stays: a damaged second one must not be looked at.
    options = context.options
    cancellation = context.cancellation
    prefetch = wantsAll && options.duplicates != .first ? .safeContents : .onDemand
    self.isWanted = isWanted
    root.isMade = true
    lastDirectory = (.top, TreePath.top.cString, root)
  }

  var destinations: MakeDestination? {
    let area = area
    return { _ in TreeFiller(area) }
  }

  // MARK: Reading

  func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    let position = entries.count
    try area.space.account.entries.add(entry)
    entries.append(entry)
    guard isWanted(entry) else { return false }
    return try make(entry, position)
  }

  func add(_: MemFile?, for _: ArchiveEntry, position: Int) { filled.insert(position) }

  func note(_ error: ArchiveError) throws(ArchiveError) {
    try area.space.account.entries.add(error)
    errors.append(error)
  }

  func end(warnings: [ArchiveWarning], failedPosition _: Int?) { self.warnings.add(warnings) }

  /// Notes what is left out, and why.
  func skip(_ name: String, _ why: String) { skipped.append(ArchiveWarning(entry: name, text: why)) }

  func warn(_ warning: ArchiveWarning) { warnings.add(warning) }

  // MARK: Names

  /// Makes what an entry is; whether its content is to follow.
  func make(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool {
    let raw = EntryName.raw(entry.name)
    guard EntryName.isSafeRelative(raw) else {
      skip(entry.name, "the name leads out of the tree")
      return false
    }
    let path = TreePath(raw: raw)
    guard path.fits else { throw .nameTooLong(entry.name) }
    switch entry.kind {
    case .directory:
      let node = try directory(path, for: entry)
      node.entry = entry
      node.position = position
      return false
    case .symlink
    where EntryName.raw(entry.link ?? "").isEmpty || EntryName.raw(entry.link ?? "").contains(0):
      skip(entry.name, "it leads to no name")
      return false
    case .file, .symlink, .hardlink:
      guard !path.isTop else { throw .conflict(entry.name, "it has the name of the tree's top directory") }
      return try make(entry, at: path, position)
    case .fifo, .socket:
      skip(entry.name, "a \(entry.kind) is not made")
      return false
    case .character, .block:
      skip(entry.name, "a \(entry.kind) device is not made")
      return false
    }
  }

  private func make(_ entry: ArchiveEntry, at path: TreePath, _ position: Int) throws(ArchiveError) -> Bool {
    // Entries of one directory follow each other.
    let parent =
      lastDirectory.path.isParent(of: path) ? lastDirectory.node : try directory(path.parent, for: entry)
    let component = path.lastComponent
    let earlier = parent.child(component)
    if earlier?.kind == .directory {
      throw .conflict(entry.name, "a directory of this name is in its place")
    }
    let target = entry.link.map { TreePath(raw: EntryName.raw($0)) } ?? .top
    // Some writers give a file with several names a hard link to itself.
    if entry.kind == .hardlink, !entry.hasContent, target == path, earlier != nil { return false }
    if earlier != nil {
      switch options.duplicates {
      case .reject: throw .duplicate(entry.name)
      case .first:
        warnings.add(.leftOut(entry.name))
        return false
      case .last: warnings.add(.replaced(entry.name))
      }
    }
    try area.space.account.addInode(entry: entry.name)
    let kind: TreeNode.Kind =
      switch entry.kind {
      case .symlink: .symlink
      case .hardlink: .hardlink
      default: .file
      }
    let node = TreeNode(kind, component: component)
    node.entry = entry
    node.position = position
    switch kind {
    case .symlink:
      try makeLink(entry, at: path, position, isTaken: earlier != nil)
      node.isMade = true
    case .hardlink:
      guard try link(entry, at: path, to: target, position) else { return false }
    case .file, .directory:
      let place =
        earlier == nil
        ? TreeArea.Target(directory: lastDirectory.raw, name: TreePath.cString(component))
        : TreeArea.Target(directory: nil, name: area.space.nextStageName())
      if place.isStaged { steps.append(.place(place, at: path, position: position)) }
      area.expect(place, at: position)
    }
    parent.add(node)
    return kind == .file || entry.hasContent
  }

  private func makeLink(
    _ entry: ArchiveEntry, at path: TreePath, _ position: Int, isTaken: Bool
  ) throws(ArchiveError) {
    let text = TreePath.cString(EntryName.raw(entry.link ?? ""))
    // The kernel's bound for the text of a link, PATH_MAX.
    guard text.count <= 4096 else { throw .nameTooLong(entry.name) }
    do throws(Errno) {
      let name = isTaken ? area.space.nextStageName() : path.last
      func make(in directory: FileDescriptor) throws(Errno) {
        try SystemCalls.makeLink(name, in: directory, to: text)
        if let modified = entry.modified {
          try SystemCalls.setTimes(ofLink: name, in: directory, modified: modified)
        }
      }
      if isTaken {
        try make(in: area.space.stage.descriptor)
        steps.append(.place(.init(directory: nil, name: name), at: path, position: position))
      } else {
        let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
        try make(in: parent.descriptor)
      }
    } catch {
      throw .system("symlinkat", error, doing: "making a symbolic link in a tree", entry: entry.name)
    }
    if isTaken { filled.insert(position) }
    links.append((path, position))
  }

  private func link(
    _ entry: ArchiveEntry, at path: TreePath, to target: TreePath, _ position: Int
  ) throws(ArchiveError) -> Bool {
    guard let link = entry.link, EntryName.isSafeRelative(EntryName.raw(link)), target.fits, !target.isTop
    else {
      skip(entry.name, "its target \"\(entry.link ?? "")\" leads out of the tree")
      return false
    }
    let group = groupNumbers[target] ?? groups.count
    if group == groups.count {
      groups.append(LinkGroup(target: target))
      groupNumbers[target] = group
    }
    groups[group].links.append((path, position))
    if entry.hasContent {
      let place = TreeArea.Target(directory: nil, name: area.space.nextStageName())
      let count = groups[group].links.count
      steps.append(.share(place, group: group, count: count, position: position))
      area.expect(place, at: position)
    } else {
      steps.append(.link(path, to: target, position: position))
    }
    return true
  }

  /// The directory at a path, made with all those above it that are missing.
  private func directory(_ path: TreePath, for entry: ArchiveEntry) throws(ArchiveError) -> TreeNode {
    if lastDirectory.path == path { return lastDirectory.node }
    let components = path.components
    var node = root
    var depth = 0
    for component in components {
      guard let next = node.child(component) else { break }
      guard next.kind == .directory else {
        let kind = next.kind == .symlink ? "symbolic link" : "file"
        let name = EntryName.key(Array(components[...depth].joined(separator: [UInt8(ascii: "/")])))
        throw .conflict(entry.name, "a \(kind) is in the place of its directory \"\(name)\"")
      }
      node = next
      depth += 1
    }
    if depth < components.count { node = try makeDirectories(path, below: node, depth, for: entry) }
    lastDirectory = (path, path.cString, node)
    return node
  }

  private func makeDirectories(
    _ path: TreePath, below existing: TreeNode, _ depth: Int, for entry: ArchiveEntry
  ) throws(ArchiveError) -> TreeNode {
    let missing = path.components[depth...]
    for _ in missing { try area.space.account.addInode(entry: entry.name) }
    var node = existing
    do throws(Errno) {
      var parent = try SystemCalls.openDirectory(path.prefix(depth), beneath: area.top.descriptor)
      for component in missing {
        let name = TreePath.cString(component)
        try SystemCalls.makeDirectory(
          name, in: parent.descriptor, mode: 0o755, hasUmask: area.space.hasUmask)
        let next = TreeNode(.directory, component: component)
        next.isMade = true
        node.add(next)
        node = next
        parent = try SystemCalls.openDirectory(TreePath(raw: component), beneath: parent.descriptor)
      }
    } catch {
      throw .system("mkdirat", error, doing: "making a directory in a tree", entry: entry.name)
    }
    return node
  }
}
