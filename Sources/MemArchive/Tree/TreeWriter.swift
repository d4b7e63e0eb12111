internal import SealedMemory
internal import SystemPackage

/// Creates the entries of one archive in a tree: decides the name of an entry and whether it is allowed, in the
/// archive's order; ``TreeFileWriter`` fills in content, on any thread.
///
/// No link of a file system is followed while the tree is filled, and nothing in an archive reaches beyond the area's top.
final class TreeWriter: EntryVisitor {
  /// Work deferred until all content is there.
  enum Step {
    /// Gives a staged file its name, replacing an entry that has it.
    case place(RawPath)
    /// Makes a hard link.
    case link
    /// Gives a hard link's staged content to all names that share it.
    case share(RawPath)
  }

  let area: TreeArea
  let options: ExtractionOptions
  let cancellation: Cancellation
  let prefetch: Prefetch
  let wantsAll: Bool
  /// What lies below, if it is one of several layers, in which links may lead to what another has; **borrowed**.
  let below: FileDescriptor?
  var isLayer: Bool { below != nil }
  /// Where the area's top will be mounted, if that is known.
  let place: FilePath?
  private let isWanted: (ArchiveEntry) -> Bool
  /// The entries that were created, and their directories, which need not be entries.
  var index = EntryIndex()
  private(set) var entries: [ArchiveEntry] = []
  private(set) var skipped: [ArchiveWarning] = []
  var warnings: WarningList
  private(set) var errors: [ArchiveError] = []
  /// In the archive's order.
  private(set) var steps: [(position: Int, step: Step)] = []
  /// The symbolic links, by position, and hard links to them.
  var links: [Int] = []
  private(set) var groups = LinkGroups<EntryPath>()
  /// Entries that others in the tree lead to, by position.
  var needed: Set<Int> = []
  /// A layer's hard links without a target in it, by position.
  var unresolved: [Int] = []
  /// Content that was taken, by position.
  private(set) var filled: Set<Int> = []
  /// The current directory.
  private(set) var directory = (path: EntryPath.top, raw: EntryPath.top.cString, node: 0)

  /// - Parameters:
  ///   - wantsAll: Whether `isWanted` is true for every entry.
  ///   - below: The top of what lies below, if it is one of several layers, whose links are judged when all are there;
  ///     it stays open as long as this is used.
  init(
    _ area: TreeArea, in context: ExtractionContext, wantsAll: Bool, place: FilePath? = nil,
    below: FileDescriptor? = nil, isWanted: @escaping (ArchiveEntry) -> Bool
  ) {
    self.area = area
    warnings = WarningList(area.space.account.entries)
    options = context.options
    cancellation = context.cancellation
    // If the first of two entries with the same name wins, the second must not be read, because it may be damaged.
    // An absolute name in a layer begins at the image's root.
    let all: Prefetch = below != nil ? .contents() : .safeContents
    prefetch = wantsAll && options.duplicates != .first ? all : .onDemand
    self.wantsAll = wantsAll
    self.below = below
    self.place = place
    self.isWanted = isWanted
  }

  var destinations: MakePartedDestination? {
    let area = area
    return { _ in TreeFileWriter(area) }
  }

  // MARK: Reading

  func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    let position = entries.count
    let entry = isLayer ? try followingOwnLinks(entry.belowRoot) : entry
    try area.space.account.entries.add(entry)
    entries.append(entry)
    guard wantsAll || isWanted(entry) else { return false }
    return try make(entry, position)
  }

  func add(_: MemFile?, for _: ArchiveEntry, position: Int) {
    filled.insert(position)
    groups.fill(by: position)
  }

  func note(_ error: ArchiveError) throws(ArchiveError) {
    try area.space.account.entries.add(error)
    errors.append(error)
  }

  func end(warnings: [ArchiveWarning], failedPosition _: Int?) { self.warnings.add(warnings) }

  /// Notes an entry that is left out, and the reason.
  func skip(_ name: String, _ why: String) { skipped.append(ArchiveWarning(.leftOut, entry: name, why)) }

  // MARK: Names

  /// The path of a created entry.
  func path(of position: Int) -> EntryPath { EntryPath(entries[position].name) ?? .top }

  /// The entry that has a path in the tree.
  func entry(at path: EntryPath) -> Int? { index.node(of: path.bytes.span).flatMap { index[$0] } }

  func isDirectory(_ node: Int) -> Bool { index[node].map { entries[$0].kind == .directory } ?? true }

  /// Creates an entry, and returns whether its content is to follow.
  func make(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool {
    guard let path = EntryPath(entry.name) else {
      skip(entry.name, "the name leads out of the tree")
      return false
    }
    guard path.fits else { throw .nameTooLong(entry.name) }
    // What it hides need not be a name in a directory any more: umoci writes "x/.wh.y" beside a file "x".
    if isLayer, LayerStack.isMark(path) { return false }
    let target = EntryName.raw(entry.link ?? "")
    switch entry.kind {
    case .directory:
      if isLayer { try replaceLink(at: path, for: entry) }
      try enter(path, for: entry)
      index[directory.node] = position
      return false
    case .symlink where target.isEmpty || target.contains(0):
      skip(entry.name, "it leads to no name")
      return false
    case .file, .symlink, .hardlink:
      if entry.kind == .symlink, let why = SymlinkWalker.tooLong(entry.link ?? "") {
        // The kernel makes none.
        if options.brokenLinks == .reject { throw .unavailable(entry.name, why) }
        skip(entry.name, why)
        return false
      }
      guard !path.isTop else { throw .conflict(entry.name, "it has the name of the tree's top directory") }
      return try make(entry, at: path, to: target, position)
    case .fifo, .socket:
      skip(entry.name, "a \(entry.kind) is not made")
      return false
    case .character, .block:
      skip(entry.name, "a \(entry.kind) device is not made")
      return false
    }
  }

  private func make(
    _ entry: ArchiveEntry, at path: EntryPath, to target: [UInt8], _ position: Int
  ) throws(ArchiveError) -> Bool {
    // Entries of one directory usually follow each other.
    if !directory.path.isParent(of: path) { try enter(path.parent, for: entry) }
    let component = path.lastComponent
    let earlier = index.node(component.span, below: directory.node)
    if let earlier {
      if isDirectory(earlier) { throw .conflict(entry.name, "a directory of this name is in its place") }
      if entry.isLinkToItself { return false }
      guard try options.replacesEarlier(entry.name, &warnings) else { return false }
    }
    try area.space.account.addInode(entry: entry.name)
    switch entry.kind {
    case .symlink:
      try makeLink(entry, at: path, to: EntryPath.cString(target), position, isTaken: earlier != nil)
    case .hardlink:
      guard try link(entry, position) else { return false }
    default:
      let name = EntryPath.cString(component)
      let place = TreeArea.Target(directory: directory.raw, name: name)
      area.expect(earlier == nil ? place : stage(position, Step.place), at: position)
    }
    index[index.add(component.span, below: directory.node)] = position
    return entry.kind == .file || entry.hasContent
  }

  /// A name on the stage, and the work to be done with it at the end.
  private func stage(_ position: Int, _ step: (RawPath) -> Step) -> TreeArea.Target {
    let name = area.space.nextStageName()
    steps.append((position, step(name)))
    return TreeArea.Target(directory: nil, name: name)
  }

  private func makeLink(
    _ entry: ArchiveEntry, at path: EntryPath, to text: RawPath, _ position: Int, isTaken: Bool
  ) throws(ArchiveError) {
    func make(_ name: RawPath, in directory: FileDescriptor) throws(Errno) {
      try SystemCalls.makeLink(name, in: directory, to: text)
      try area.space.looks.setOwner(of: name, in: directory, entry)
      if let modified = entry.modified {
        try SystemCalls.setTimes(ofLink: name, in: directory, modified: modified)
      }
    }
    do throws(Errno) {
      if isTaken {
        try make(stage(position, Step.place).name, in: area.space.stage.descriptor)
        filled.insert(position)
      } else {
        let parent = try SystemCalls.openDirectory(path.parent, beneath: area.top.descriptor)
        try make(path.last, in: parent.descriptor)
      }
    } catch {
      throw .system("symlinkat", error, doing: "making a symbolic link in a tree", entry: entry.name)
    }
    links.append(position)
  }

  private func link(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool {
    guard let target = entry.link.flatMap({ EntryPath($0) }), target.fits, !target.isTop else {
      skip(entry.name, "its target \"\(entry.link ?? "")\" leads out of the tree")
      return false
    }
    let found = self.entry(at: target)
    groups.add(position, to: target, found, hasLinks: found.map { entries[$0].linkCount > 1 } ?? false)
    if entry.hasContent {
      area.expect(stage(position, Step.share), at: position)
    } else {
      steps.append((position, .link))
    }
    return true
  }

  // MARK: Directories

  /// Makes a directory the current one, and creates it and missing ones above it.
  private func enter(_ path: EntryPath, for entry: ArchiveEntry) throws(ArchiveError) {
    if directory.path == path { return }
    let place = index.place(of: path.bytes.span)
    let components = path.components
    let depth = components.count - place.beyond
    guard isDirectory(place.node) else {
      let kind = index[place.node].map { entries[$0].kind == .symlink } == true ? "symbolic link" : "file"
      let name = EntryName.key(path.prefix(depth).raw)
      throw .conflict(entry.name, "a \(kind) is in the place of its directory \"\(name)\"")
    }
    var node = place.node
    if place.beyond > 0 {
      for _ in components[depth...] { try area.space.account.addInode(entry: entry.name) }
      do throws(Errno) {
        var parent = try SystemCalls.openDirectory(path.prefix(depth), beneath: area.top.descriptor)
        for component in components[depth...] {
          parent = try area.space.makeDirectory(EntryPath.cString(component), in: parent.descriptor)
          node = index.add(component.span, below: node)
        }
      } catch {
        throw .system("mkdirat", error, doing: "making a directory in a tree", entry: entry.name)
      }
    }
    directory = (path, path.cString, node)
  }
}
