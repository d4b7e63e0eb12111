/// Names that share one content: hard links and the entry that they link to. In cpio the last of them carries the content.
///
/// A name is a `NameKey` in a dictionary, an `EntryPath` in a tree.
struct LinkGroups<Name: Hashable> {
  struct Group {
    /// The entry that had the name when the first link to it came.
    fileprivate(set) var target: Int?
    fileprivate(set) var links: [Int] = []
    /// Whether one of them is wanted.
    fileprivate(set) var isWanted: Bool
    /// The last link that carried content, which all of them share.
    fileprivate(set) var content: Int?
  }

  private(set) var all: [Group] = []
  private var byName: [Name: Int] = [:]
  private var byLink: [Int: Int] = [:]

  /// Adds a link, and returns its group.
  ///
  /// - Parameters:
  ///   - target: The entry that has the name now.
  ///   - hasLinks: Whether the target says that it has several names, so that this link belongs to it.
  @discardableResult mutating func add(
    _ link: Int, to name: Name, _ target: Int?, hasLinks: Bool, isWanted: Bool = true
  ) -> Group {
    let number: Int
    if let known = byName[name], !hasLinks || all[known].target == nil || all[known].target == target {
      number = known
      if hasLinks { all[number].target = target }
    } else {
      number = all.count
      all.append(Group(target: target, isWanted: false))
    }
    byName[name] = number
    byLink[link] = number
    all[number].links.append(link)
    all[number].isWanted = all[number].isWanted || isWanted
    return all[number]
  }

  /// The group of a link; nil if it is not one.
  subscript(of position: Int) -> Group? { byLink[position].map { all[$0] } }

  /// Notes that the content of an entry has arrived.
  mutating func fill(by position: Int) {
    guard let number = byLink[position] else { return }
    all[number].content = max(position, all[number].content ?? position)
  }
}
