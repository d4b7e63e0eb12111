internal import CLinux
internal import Glibc
internal import SystemPackage

extension TreeWriter {
  /// A hard link whose target was not there when it was to be made.
  private typealias WaitingLink = (path: TreePath, target: TreePath, position: Int)

  /// To be called when all content has come: makes hard links, lets later entries take their names, and takes away the
  /// symbolic links that lead out.
  func settle() throws(ArchiveError) {
    var waiting: [WaitingLink] = []
    let sharing = sharing()
    for step in steps {
      try cancellation.check()
      switch step {
      case .place(let target, let path, let position):
        guard filled.contains(position) else { continue }
        try place(target, at: path, position)
      case .link(let path, let target, let position):
        if try !link(path, to: target, position) { waiting.append((path, target, position)) }
      case .share(let target, let group, let count, let position):
        guard filled.contains(position) else { continue }
        if sharing[group] == position {
          try share(target, among: groups[group], count, position)
        } else {
          try giveUp(target, position)
        }
      }
    }
    for (_, target, position) in try linkWaiting(waiting) {
      try unavailable(entries[position], "the archive has no entry \"\(EntryName.key(target.raw))\"")
    }
    try takeAwayLinksThatLeadOut()
  }

  /// The link of each group whose content is that of all: the last that has any.
  private func sharing() -> [Int: Int] {
    var sharing: [Int: Int] = [:]
    for case .share(_, let group, _, let position) in steps where filled.contains(position) {
      sharing[group] = position
    }
    return sharing
  }

  /// A hard link may stand in front of its target, even of another link that does: each is tried once more, and again
  /// when its target is made. Returns those whose target is nowhere.
  private func linkWaiting(_ waiting: [WaitingLink]) throws(ArchiveError) -> [WaitingLink] {
    var byTarget: [TreePath: [Int]] = [:]
    for (index, link) in waiting.enumerated() { byTarget[link.target, default: []].append(index) }
    var isMade = [Bool](repeating: false, count: waiting.count)
    // The last of several that have one name keeps it.
    var owners: [TreePath: Int] = [:]
    for index in waiting.indices {
      var ready = [index]
      while let index = ready.popLast() {
        try cancellation.check()
        let (path, target, position) = waiting[index]
        guard !isMade[index] else { continue }
        isMade[index] =
          if let owner = owners[path], owner > position { true } else { try link(path, to: target, position) }
        guard isMade[index] else { continue }
        owners[path] = max(position, owners[path] ?? position)
        ready += byTarget.removeValue(forKey: path) ?? []
      }
    }
    return waiting.indices.filter { !isMade[$0] }.map { waiting[$0] }
  }

  /// To be called last: directories get their modes and times, which making their entries has changed.
  func close() throws(ArchiveError) {
    if let entry = root.entry { try finish(area.top.descriptor, entry) }
    try root.forEachDirectoryBelow { node, path throws(ArchiveError) in
      guard let entry = node.entry else { return }
      try cancellation.check()
      do throws(Errno) {
        let directory = try SystemCalls.open(
          beneath: area.top.descriptor, path.cString, O_RDONLY | O_DIRECTORY)
        try Self.finish(directory.descriptor, entry)
      } catch {
        throw .system("fchmod", error, doing: "finishing a directory in a tree", entry: entry.name)
      }
    }
  }

  private func finish(_ top: FileDescriptor, _ entry: ArchiveEntry) throws(ArchiveError) {
    do throws(Errno) {
      let directory = try SystemCalls.open(beneath: top, TreePath.top.cString, O_RDONLY | O_DIRECTORY)
      try Self.finish(directory.descriptor, entry)
    } catch {
      throw .system("fchmod", error, doing: "finishing a directory in a tree", entry: entry.name)
    }
  }

  private static func finish(_ directory: FileDescriptor, _ entry: ArchiveEntry) throws(Errno) {
    try SystemCalls.changeMode(directory, to: entry.treeMode(or: 0o755))
    if let modified = entry.modified {
      try SystemCalls.setTimes(of: directory, accessed: entry.accessed ?? modified, modified: modified)
    }
  }

  // MARK: Steps

  private func place(_ target: TreeArea.Target, at path: TreePath, _ position: Int) throws(ArchiveError) {
    do throws(Errno) {
      let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
      try SystemCalls.rename(
        target.name, in: area.space.stage.descriptor, to: path.last, in: parent.descriptor)
    } catch {
      throw .system("renameat", error, doing: "replacing a file in a tree", entry: entries[position].name)
    }
  }

  /// Makes a hard link, in place of what has its name; whether the target was there.
  private func link(_ path: TreePath, to target: TreePath, _ position: Int) throws(ArchiveError) -> Bool {
    do throws(Errno) {
      let source = try SystemCalls.openDirectory(target.parent, beneath: area.top.descriptor)
      let status = try SystemCalls.status(of: target.last, in: source.descriptor)
      guard !status.isDirectory else { return false }
      let stage = area.space.stage.descriptor
      let name = area.space.nextStageName()
      try SystemCalls.link(name, in: stage, to: target.last, in: source.descriptor)
      try replace(path, by: name)
      if status.isLink { links.append((path, position)) }
      return true
    } catch {
      switch error {
      // No such entry, or none that is reached without following a link.
      case .noSuchFileOrDirectory, .tooManySymbolicLinkLevels, .notDirectory: return false
      default:
        throw .system("linkat", error, doing: "making a hard link in a tree", entry: entries[position].name)
      }
    }
  }

  private func share(
    _ target: TreeArea.Target, among group: LinkGroup, _ count: Int, _ position: Int
  ) throws(ArchiveError) {
    try share(target, with: group.target, position) { $0.kind != .directory }
    for (path, link) in group.links.prefix(count) {
      try cancellation.check()
      // Not with a later entry of that name.
      try share(target, with: path, position) { $0.position == link }
    }
    do throws(Errno) { try SystemCalls.remove(target.name, in: area.space.stage.descriptor) } catch {
      throw .system("unlinkat", error, doing: "making a hard link in a tree", entry: entries[position].name)
    }
  }

  private func share(
    _ target: TreeArea.Target, with path: TreePath, _ position: Int, where sharesIt: (TreeNode) -> Bool
  ) throws(ArchiveError) {
    guard root.node(path).map(sharesIt) ?? false else { return }
    do throws(Errno) {
      let stage = area.space.stage.descriptor
      let name = area.space.nextStageName()
      try SystemCalls.link(name, in: stage, to: target.name, in: stage)
      try replace(path, by: name)
    } catch {
      throw .system("linkat", error, doing: "making a hard link in a tree", entry: entries[position].name)
    }
  }

  /// Drops content that gives way to that of a later link to the same file.
  private func giveUp(_ target: TreeArea.Target, _ position: Int) throws(ArchiveError) {
    let stage = area.space.stage.descriptor
    do throws(Errno) {
      let size = try SystemCalls.status(of: target.name, in: stage).size
      try SystemCalls.remove(target.name, in: stage)
      area.space.account.giveBack(size: size)
    } catch {
      throw .system("unlinkat", error, doing: "making a hard link in a tree", entry: entries[position].name)
    }
  }

  /// Moves what is on the stage to its path.
  private func replace(_ path: TreePath, by name: RawPath) throws(Errno) {
    let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
    let stage = area.space.stage.descriptor
    try SystemCalls.rename(name, in: stage, to: path.last, in: parent.descriptor)
    // rename(2) does nothing where both names are links to one file already.
    do throws(Errno) { try SystemCalls.remove(name, in: stage) } catch .noSuchFileOrDirectory {}
  }

  // MARK: Symbolic links

  /// The kernel decides, with all links in place: what a link's text says is not where it leads when there are others on
  /// its way (openat2(2), RESOLVE_BENEATH).
  private func takeAwayLinksThatLeadOut() throws(ArchiveError) {
    var leadingOut: [(path: TreePath, entry: ArchiveEntry)] = []
    for (path, position) in links where root.node(path)?.position == position {
      try cancellation.check()
      let entry = entries[position]
      do throws(Errno) {
        _ = try SystemCalls.open(
          beneath: area.top.descriptor, path.cString, CInt(CLINUX_O_PATH), followsLinks: true)
      } catch {
        switch error {
        case .improperLink: leadingOut.append((path, entry))
        case .noSuchFileOrDirectory, .notDirectory, .fileNameTooLong:
          if options.strictLinks { try unavailable(entry, "it leads nowhere") }
        case .tooManySymbolicLinkLevels:
          if options.strictLinks { try unavailable(entry, "it leads round in a circle") }
        default:
          throw .system("openat2", error, doing: "following a link in a tree", entry: entry.name)
        }
      }
    }
    for (path, entry) in leadingOut {
      try cancellation.check()
      if options.insecureNames == .reject { throw .insecureLink(entry.name, to: entry.link ?? "") }
      do throws(Errno) { try TreeFiller.remove(path.cString, beneath: area.top.descriptor) } catch {
        throw .system("unlinkat", error, doing: "removing a link from a tree", entry: entry.name)
      }
      root.node(path.parent)?.remove(path.lastComponent)
      skip(entry.name, "it leads out of the tree, to \"\(entry.link ?? "")\"")
    }
  }

  /// A link that leads to no content.
  private func unavailable(_ entry: ArchiveEntry, _ why: String) throws(ArchiveError) {
    guard options.strictLinks else {
      warn(.unavailable(entry.name, why))
      return
    }
    throw .unavailable(entry.name, why)
  }
}
