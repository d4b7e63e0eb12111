/// Follows symbolic links from path to path, only inside an archive: each of them once, however many others lead through it.
///
/// A link's target is resolved component by component, because a directory in it may itself be a symbolic link.
struct SymlinkWalker {
  /// Where a link leads to.
  enum Way {
    /// Through this many links, including itself.
    case place(EntryIndex.Place, links: Int)
    case nowhere(String)
  }

  /// A link that is being followed.
  private struct Walk {
    let position: Int
    let target: String
    /// The offset in the target.
    var offset = 0
    var place: EntryIndex.Place
    var links = 1
    /// Another link in the path, to be followed first.
    var awaited: Int?
  }

  let index: EntryIndex
  private let entries: [ArchiveEntry]
  /// The target of the entry at a position, if that is a symbolic link.
  private let target: (Int) -> String?
  private var ways: [Int: Way] = [:]
  private var check: PeriodicCheck

  /// The number that Linux follows before ELOOP.
  static let mostLinks = 40
  /// PATH_MAX counts the zero after a path.
  private static let longestTarget = 4095
  static let circle = "it is circular"

  init(
    _ index: EntryIndex, _ entries: [ArchiveEntry], _ cancellation: Cancellation,
    target: @escaping (Int) -> String?
  ) {
    (self.index, self.entries, self.target) = (index, entries, target)
    check = PeriodicCheck(cancellation)
  }

  /// Follows the link at a position. `met` is called once for each entry on the path, including its end.
  mutating func follow(
    _ position: Int, met: (Int) -> Void = { _ in }
  ) throws(ArchiveError) -> Way {
    if let way = ways[position] { return way }
    var walks: [Walk] = []
    begin(position, &walks)
    while var walk = walks.popLast() {
      if let way = try go(on: &walk, met) {
        ways[walk.position] = way
      } else if let awaited = walk.awaited {
        walks.append(walk)
        begin(awaited, &walks)
      }
    }
    return ways[position] ?? .nowhere(Self.circle)
  }

  private mutating func begin(_ position: Int, _ walks: inout [Walk]) {
    guard let target = target(position) else { return }
    // Coming back here before the end is known means that the link is circular.
    ways[position] = .nowhere(Self.circle)
    let place = index.place(of: entries[position].name.utf8Span.span, isDirectory: true)
    walks.append(Walk(position: position, target: target, place: place))
  }

  /// Where a walk leads; nil if another link in its path is to be followed first.
  private mutating func go(on walk: inout Walk, _ met: (Int) -> Void) throws(ArchiveError) -> Way? {
    let bytes = walk.target.utf8Span.span
    if let why = Self.tooLong(walk.target) { return .nowhere(why) }
    guard bytes.isEmpty || bytes[0] != UInt8(ascii: "/") else { return Self.out(walk.target) }
    while true {
      try check.step()
      if let link = walk.awaited {
        switch ways[link] {
        case .place(let place, let links)?:
          walk.links += links
          guard walk.links <= Self.mostLinks else { return .nowhere(Self.circle) }
          walk.place = place
        case .nowhere(let why)?: return .nowhere(why)
        case nil: return nil
        }
        walk.awaited = nil
      }
      guard let range = EntryIndex.component(of: bytes, from: &walk.offset) else {
        return .place(walk.place, links: walk.links)
      }
      let component = bytes.extracting(range)
      if component.count == 2, component[0] == UInt8(ascii: "."), component[1] == UInt8(ascii: ".") {
        guard index.leave(&walk.place) else { return Self.out(walk.target) }
        continue
      }
      index.enter(component, from: &walk.place)
      guard let entry = index.entry(at: walk.place) else { continue }
      met(entry)
      if target(entry) != nil { walk.awaited = entry }
    }
  }

  /// Why a target of more bytes than a path may have leads nowhere; nil where it has no more.
  static func tooLong(_ target: String) -> String? {
    // What is not UTF-8 takes more room in a name than it does in the archive.
    guard target.utf8.count > longestTarget, case let count = EntryName.raw(target).count,
      count > longestTarget
    else { return nil }
    return "its target has \(count) bytes, and a path has at most \(longestTarget)"
  }

  private static func out(_ target: String) -> Way { .nowhere("\"\(target)\" leads out of the archive") }
}
