/// Follows links inside an archive, and only there: what leads out of it, round in circles or nowhere is told apart.
struct LinkResolver {
  /// Where a link ends.
  enum End {
    case entry(NameKey)
    case nowhere(String)
  }

  private let nodes: [NameKey: FileCollector.Node]
  /// The names that have "./", doubled or trailing slashes, by what they are without: a symlink's target is a path and not a
  /// name.
  private let byPath: [NameKey: NameKey]
  /// As many as Linux follows before ELOOP.
  private static let mostHops = 40

  init(_ nodes: [NameKey: FileCollector.Node]) {
    self.nodes = nodes
    byPath = Dictionary(
      nodes.keys.filter { !Self.isPath($0.name) }.map { (NameKey(Self.path(Self.components($0.name))), $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The entry whose name is this path, or leads there.
  private func entry(at path: String) -> NameKey? {
    let key = NameKey(path)
    return nodes[key] != nil ? key : byPath[key]
  }

  /// Whether a name is what `components` and `path` would make of it.
  private static func isPath(_ name: String) -> Bool {
    var name = name
    return name.withUTF8 { bytes in
      let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
      var (before, last) = (slash, slash)
      for index in bytes.indices {
        let byte = unsafe bytes[index]
        if byte == slash, last == slash || (last == dot && before == slash) { return false }
        (before, last) = (last, byte)
      }
      return last != slash && !(last == dot && before == slash)
    }
  }

  /// Follows the link named `key` to an entry that is no link.
  func resolve(_ key: NameKey) -> End {
    var key = key
    for _ in 0..<Self.mostHops {
      switch nodes[key]?.content {
      case .file?, .unread?, .other?: return .entry(key)
      case .hardlink(let target)?:
        guard let target = entry(named: target) else {
          return .nowhere("the archive has no entry \"\(target)\"")
        }
        guard target != key else { return .nowhere("it leads to itself") }
        key = target
      case .symlink(let target)?:
        switch walk(from: key.name, to: target) {
        case .entry(let next): key = next
        case .nowhere(let why): return .nowhere(why)
        }
      case nil: return .nowhere("the archive has no entry \"\(key.name)\"")
      }
    }
    return .nowhere("it leads round in a circle")
  }

  /// The entry that a hard link names; some writers put "./" before one of the two names only.
  private func entry(named name: String) -> NameKey? {
    let key = NameKey(name)
    return nodes[key] != nil ? key : entry(at: Self.path(Self.components(name)))
  }

  /// One symlink's target, component by component, because a directory on the way may be a symlink itself.
  private func walk(from link: String, to target: String) -> End {
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
      guard !rest.isEmpty, let key = entry(at: Self.path(done)),
        case .symlink(let inner)? = nodes[key]?.content
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
