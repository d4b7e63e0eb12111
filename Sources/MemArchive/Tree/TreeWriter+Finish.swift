internal import Libc
internal import SealedMemory
internal import SystemPackage

extension TreeWriter {
  /// To be called when all content has arrived: makes hard links, gives later entries their names, and removes symbolic
  /// links that lead out.
  func settle() throws(ArchiveError) {
    var waiting: [Int] = []
    for (position, step) in steps {
      try cancellation.check()
      switch step {
      case .place(let name):
        if filled.contains(position) { try place(name, position) }
      case .link:
        if try !link(position) { waiting.append(position) }
      case .share(let name):
        guard filled.contains(position), let group = groups[of: position] else { continue }
        if group.content == position {
          try share(name, among: group, position)
        } else {
          try giveUp(name, position)
        }
      }
    }
    let unresolved = try linkWaiting(waiting)
    if isLayer {
      self.unresolved = unresolved
      return
    }
    for position in unresolved {
      try unavailable(position, "the archive has no entry \"\(EntryName.key(target(of: position).raw))\"")
    }
    try takeAwayLinksThatLeadOut()
  }

  /// The target of a hard link that was made.
  private func target(of position: Int) -> EntryPath {
    entries[position].link.flatMap { EntryPath($0) } ?? .top
  }

  /// A hard link may precede its target, which may be another such link: each is tried once more, and again
  /// when its target is made. Returns those without a target.
  private func linkWaiting(_ waiting: [Int]) throws(ArchiveError) -> [Int] {
    var byTarget = Dictionary(grouping: waiting) { target(of: $0) }
    var made: Set<Int> = []
    // The last of several with the same name keeps it.
    var owners: [EntryPath: Int] = [:]
    for position in waiting {
      var ready = [position]
      while let position = ready.popLast() {
        try cancellation.check()
        guard !made.contains(position) else { continue }
        let path = path(of: position)
        let owner = owners[path] ?? position
        if owner <= position, try !link(position) { continue }
        made.insert(position)
        owners[path] = max(position, owner)
        ready += byTarget.removeValue(forKey: path) ?? []
      }
    }
    return waiting.filter { !made.contains($0) }
  }

  /// To be called last: sets the modes and times of directories, which change while entries are created in them.
  func close() throws(ArchiveError) {
    for node in index.allNodes.reversed() {
      guard let position = index[node], entries[position].kind == .directory else { continue }
      try cancellation.check()
      let entry = entries[position]
      try attempting("fchmod", "finishing a directory in a tree", position) { () throws(Errno) in
        let directory = try SystemCalls.open(
          beneath: area.top.descriptor, path(of: position).cString, O_RDONLY | O_DIRECTORY)
        try area.space.looks.setOwner(of: directory.descriptor, entry)
        try SystemCalls.changeMode(directory.descriptor, to: area.space.looks.mode(of: entry))
        try SystemCalls.setTimes(of: directory.descriptor, to: entry)
      }
    }
  }

  // MARK: Steps

  private func place(_ name: RawPath, _ position: Int) throws(ArchiveError) {
    try attempting("renameat", "replacing a file in a tree", position) { () throws(Errno) in
      try replace(path(of: position), by: name)
    }
  }

  /// Makes a hard link, replacing an entry with its name; returns whether the target exists.
  private func link(_ position: Int) throws(ArchiveError) -> Bool {
    let target = target(of: position)
    do throws(Errno) {
      let source = try SystemCalls.openDirectory(target.parent, beneath: area.top.descriptor)
      let status = try SystemCalls.status(of: target.last, in: source.descriptor)
      guard status.type != .directory else { return false }
      try link(path(of: position), to: target.last, in: source.descriptor)
      if status.type == .symbolicLink { links.append(position) }
      return true
    } catch {
      switch error {
      // There is no such entry, or only through a link.
      case .noSuchFileOrDirectory, .tooManySymbolicLinkLevels, .notDirectory: return false
      default: throw failure("linkat", error, position)
      }
    }
  }

  private func share(
    _ name: RawPath, among group: LinkGroups<EntryPath>.Group, _ position: Int
  ) throws(ArchiveError) {
    let stage = area.space.stage.descriptor
    do throws(Errno) {
      let target = target(of: position)
      if let node = index.node(of: target.bytes.span), !isDirectory(node),
        group.target == nil || group.target == index[node]
      {
        try link(target, to: name, in: stage)
      }
    } catch {
      throw failure("linkat", error, position)
    }
    for link in group.links where link <= position {
      try cancellation.check()
      let path = path(of: link)
      // Not with a later entry with that name.
      guard entry(at: path) == link else { continue }
      do throws(Errno) { try self.link(path, to: name, in: stage) } catch {
        throw failure("linkat", error, position)
      }
    }
    try attempting("unlinkat", Self.making, position) { () throws(Errno) in
      try SystemCalls.remove(name, in: stage)
    }
  }

  /// Drops content that is replaced by that of a later link to the same file.
  private func giveUp(_ name: RawPath, _ position: Int) throws(ArchiveError) {
    let stage = area.space.stage.descriptor
    try attempting("unlinkat", Self.making, position) { () throws(Errno) in
      let size = try SystemCalls.status(of: name, in: stage).size
      try SystemCalls.remove(name, in: stage)
      area.space.account.giveBack(size: size)
    }
  }

  /// Makes another name for a file, replacing an entry with that name.
  private func link(_ path: EntryPath, to name: RawPath, in directory: FileDescriptor) throws(Errno) {
    let (stage, further) = (area.space.stage.descriptor, area.space.nextStageName())
    try SystemCalls.link(further, in: stage, to: name, in: directory)
    try replace(path, by: further)
    // rename(2) does nothing if both names already are links to the same file.
    do throws(Errno) { try SystemCalls.remove(further, in: stage) } catch .noSuchFileOrDirectory {}
  }

  /// Moves a staged file to its path.
  private func replace(_ path: EntryPath, by name: RawPath) throws(Errno) {
    let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
    try SystemCalls.rename(name, in: area.space.stage.descriptor, to: path.last, in: parent.descriptor)
  }

  private static let making = "making a hard link in a tree"

  private func failure(_ call: String, _ error: Errno, _ position: Int) -> ArchiveError {
    .system(call, error, doing: Self.making, entry: entries[position].name)
  }

  private func attempting(
    _ call: String, _ doing: String, _ position: Int, _ body: () throws(Errno) -> Void
  ) throws(ArchiveError) {
    do throws(Errno) { try body() } catch {
      throw .system(call, error, doing: doing, entry: entries[position].name)
    }
  }

  // MARK: Symbolic links

  /// To be called with all links in place: other links in its path can change where a link leads.
  private func takeAwayLinksThatLeadOut() throws(ArchiveError) {
    var leadingOut: [Int] = []
    for position in links where entry(at: path(of: position)) == position {
      try cancellation.check()
      let name = entries[position].name
      switch try path(of: position).linkEnd(beneath: area.top.descriptor, entry: name, at: place) {
      case .inside: break
      case .outside: if !options.keepsOutwardLinks { leadingOut.append(position) }
      case .nowhere: if options.brokenLinks == .reject { try unavailable(position, "it leads nowhere") }
      case .circle: if options.brokenLinks == .reject { try unavailable(position, SymlinkWalker.circle) }
      }
    }
    for position in leadingOut {
      try cancellation.check()
      let (entry, path) = (entries[position], path(of: position))
      if options.insecureNames == .reject { throw .insecureLink(entry.name, to: entry.link ?? "") }
      try attempting("unlinkat", "removing a link from a tree", position) { () throws(Errno) in
        let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
        try SystemCalls.remove(path.last, in: parent.descriptor)
      }
      index.node(of: path.bytes.span).map { index[$0] = nil }
      skip(entry.name, TreeBuilder.leadsOut(to: entry.link ?? ""))
    }
  }

  /// A link that leads to no content.
  private func unavailable(_ position: Int, _ why: String) throws(ArchiveError) {
    try options.unavailable(entries[position].name, why, &warnings)
  }
}
