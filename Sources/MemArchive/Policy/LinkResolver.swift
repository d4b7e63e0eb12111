/// Follows links, only inside an archive; distinguishes links that lead out of it, lead nowhere or are circular.
struct LinkResolver: ~Copyable {
  /// Where a link ends.
  enum End {
    /// Its position.
    case entry(Int)
    case nowhere(String)
  }

  private let entries: [ArchiveEntry]
  private let nodes: [FileCollector.Node]
  private let positions: [NameKey: Int]
  private let cancellation: Cancellation
  /// Made when a link needs it, because it takes time for each name.
  private var walker: SymlinkWalker?
  /// For the walker's memory.
  private var charge: Charge
  private var ends: [Int: End] = [:]
  private var check: PeriodicCheck

  init(
    _ entries: [ArchiveEntry], _ nodes: [FileCollector.Node], _ positions: [NameKey: Int], _ ledger: Ledger,
    _ cancellation: Cancellation
  ) {
    (self.entries, self.nodes, self.positions) = (entries, nodes, positions)
    self.cancellation = cancellation
    charge = Charge(ledger, entry: "links")
    check = PeriodicCheck(cancellation)
  }

  /// Follows the link at `position` to an entry that is not a link.
  mutating func resolve(_ position: Int) throws(ArchiveError) -> End {
    var position = position
    var passed: [Int] = []
    var end = ends[position]
    while end == nil {
      try check.step()
      guard nodes[position].isLink else {
        end = .entry(position)
        break
      }
      // Coming back here before the end is known means that the link is circular.
      ends[position] = .nowhere(SymlinkWalker.circle)
      passed.append(position)
      switch try next(position) {
      case .entry(let next): (position, end) = (next, ends[next])
      case let nowhere: end = nowhere
      }
    }
    let found = end ?? .nowhere(SymlinkWalker.circle)
    for position in passed { ends[position] = found }
    return found
  }

  /// The target of a link, which may again be a hard link.
  private mutating func next(_ position: Int) throws(ArchiveError) -> End {
    switch nodes[position].content {
    case .file, .listed, .unread, .other: return .entry(position)
    case .hardlink(let name, let found):
      let named: Int? = if let found { found } else { try entry(named: name) }
      guard let target = named else {
        return .nowhere("the archive has no entry \"\(name)\"")
      }
      return target == position ? .nowhere("it leads to itself") : .entry(target)
    case .symlink(let target):
      try prepareWalker()
      switch try walker?.follow(position) {
      case .place(let place, let links)?:
        if let entry = walker?.index.entry(at: place) { return .entry(entry) }
        // The other link decides where the rest of the path leads.
        let path = links == 1 ? Self.path(from: entries[position].name, to: target) : target
        return .nowhere("the archive has no entry \"\(path)\"")
      case .nowhere(let why)?: return .nowhere(why)
      case nil: return .nowhere(SymlinkWalker.circle)
      }
    }
  }

  /// The entry named by a hard link; some writers put "./" before only one of the two names.
  private mutating func entry(named name: String) throws(ArchiveError) -> Int? {
    if let position = positions[NameKey(name)] { return position }
    try prepareWalker()
    return walker.flatMap { $0.index.entry(named: name) }
  }

  private mutating func prepareWalker() throws(ArchiveError) {
    guard walker == nil else { return }
    let (entries, nodes) = (entries, nodes)
    // Among several spellings of a path, the normal one is meant, or the first.
    let index = try EntryIndex(
      of: entries, &charge, cancellation, where: { position, _ in nodes[position].isNamed },
      replacing: { Self.oddity(of: entries[$0].name) > Self.oddity(of: entries[$1].name) })
    walker = SymlinkWalker(index, entries, cancellation) { position in
      if case .symlink(let target) = nodes[position].content { target } else { nil }
    }
  }

  /// How a name differs from its normal path: not at all, by a trailing slash, or more.
  private static func oddity(of name: String) -> Int {
    let bytes = name.utf8Span.span
    if EntryPath.isNormal(bytes) { return 0 }
    return bytes.count > 0 && EntryPath.isNormal(bytes.extracting(droppingLast: 1)) ? 1 : 2
  }

  /// The path that a link's target is, as long as no other link is on the way.
  private static func path(from link: String, to target: String) -> String {
    var path = EntryPath(raw: Array(link.utf8)).components.dropLast()
    for component in EntryPath(raw: Array(target.utf8)).components {
      if component.elementsEqual("..".utf8) { _ = path.popLast() } else { path.append(component) }
    }
    return String(decoding: Array(path.joined(separator: "/".utf8)), as: UTF8.self)
  }
}
