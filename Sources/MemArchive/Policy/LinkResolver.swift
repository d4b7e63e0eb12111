/// Follows links inside an archive, and only there: what leads out of it, round in circles or nowhere is told apart.
struct LinkResolver {
  /// Where a link ends.
  enum End {
    /// Its position.
    case entry(Int)
    case nowhere(String)
  }

  private let entries: [ArchiveEntry]
  private let nodes: [FileCollector.Node]
  private let positions: [NameKey: Int]
  /// As many as Linux follows before ELOOP.
  private static let mostHops = 40

  init(_ entries: [ArchiveEntry], _ nodes: [FileCollector.Node], _ positions: [NameKey: Int]) {
    (self.entries, self.nodes, self.positions) = (entries, nodes, positions)
  }

  /// The names that are spelt in no usual way, by what they are as paths. Made when a link needs it: each name is looked at.
  private lazy var byPath: [NameKey: Int] = {
    var byPath: [NameKey: Int] = [:]
    for position in entries.indices where nodes[position].isNamed {
      let name = entries[position].name
      if Self.isPath(name) { continue }
      let key = NameKey(Self.path(Self.components(name)))
      if byPath[key] == nil { byPath[key] = position }
    }
    return byPath
  }()

  /// The entry whose name is this path, or leads there: a symlink's target is a path and not a name, which may have "./" in
  /// front, doubled or trailing slashes.
  private mutating func entry(at path: String) -> Int? {
    positions[NameKey(path)] ?? positions[NameKey(path + "/")] ?? byPath[NameKey(path)]
  }

  /// Whether a name is what `components` and `path` would make of it.
  private static func isPath(_ name: String) -> Bool {
    let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
    let bytes = name.utf8Span.span
    var (before, last) = (slash, slash)
    for index in bytes.indices {
      let byte = bytes[index]
      if byte == slash, last == slash || (last == dot && before == slash) { return false }
      (before, last) = (last, byte)
    }
    return last != slash && !(last == dot && before == slash)
  }

  /// Follows the link at `position` to an entry that is no link.
  mutating func resolve(_ position: Int) -> End {
    var position = position
    for _ in 0..<Self.mostHops {
      switch nodes[position].content {
      case .file, .unread, .other: return .entry(position)
      case .hardlink(let target, let found):
        guard let target = found ?? entry(named: target) else {
          return .nowhere("the archive has no entry \"\(target)\"")
        }
        guard target != position else { return .nowhere("it leads to itself") }
        position = target
      case .symlink(let target):
        switch walk(from: entries[position].name, to: target) {
        case .entry(let next): position = next
        case .nowhere(let why): return .nowhere(why)
        }
      }
    }
    return .nowhere("it leads round in a circle")
  }

  /// The entry that a hard link names; some writers put "./" before one of the two names only.
  private mutating func entry(named name: String) -> Int? {
    positions[NameKey(name)] ?? entry(at: Self.path(Self.components(name)))
  }

  /// One symlink's target, component by component, because a directory on the way may be a symlink itself.
  private mutating func walk(from link: String, to target: String) -> End {
    guard !target.utf8.starts(with: "/".utf8) else {
      return .nowhere("\"\(target)\" leads out of the archive")
    }
    var done = Self.components(link).dropLast().map { $0 }
    var rest = Self.components(target)
    var hops = 0
    while let component = rest.first {
      rest.removeFirst()
      if component == ".." {
        guard done.popLast() != nil else { return .nowhere("\"\(target)\" leads out of the archive") }
        continue
      }
      done.append(component)
      guard !rest.isEmpty, let directory = entry(at: Self.path(done)),
        case .symlink(let inner) = nodes[directory].content
      else { continue }
      hops += 1
      guard hops <= Self.mostHops else { return .nowhere("it leads round in a circle") }
      guard !inner.utf8.starts(with: "/".utf8) else {
        return .nowhere("\"\(inner)\" leads out of the archive")
      }
      done.removeLast()
      rest = Self.components(inner) + rest
    }
    let path = Self.path(done)
    return entry(at: path).map(End.entry) ?? .nowhere("the archive has no entry \"\(path)\"")
  }

  private static func components(_ name: String) -> [String] {
    name.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
      .filter { $0 != "." }
  }

  private static func path(_ components: [String]) -> String { components.joined(separator: "/") }
}
