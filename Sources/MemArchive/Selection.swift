/// Which entries are to be extracted.
public struct Selection: Sendable {
  enum Rule: Sendable {
    case all
    case names(Set<NameKey>, inOrder: [String])
    case matching(@Sendable (ArchiveEntry) -> Bool)
  }

  let rule: Rule

  /// Every entry.
  public static var all: Self { Self(rule: .all) }

  /// The entries with exactly these names, and what they link to. A name that the archive does not hold throws
  /// ``ArchiveError/Code/noSuchEntry``.
  public static func names(_ names: some Sequence<String>) -> Self {
    let names = Array(names)
    return Self(rule: .names(Set(names.map { NameKey($0) }), inOrder: names))
  }

  /// The entries for which `predicate` answers `true`. A link for which it does comes with its target's content.
  public static func matching(_ predicate: @escaping @Sendable (ArchiveEntry) -> Bool) -> Self {
    Self(rule: .matching(predicate))
  }
}

/// A name that is compared byte by byte: Swift's strings take NFC and NFD for equal, archives do not.
struct NameKey: Hashable, Sendable {
  let name: String
  init(_ name: String) { self.name = name }

  static func == (left: Self, right: Self) -> Bool { left.name.utf8.elementsEqual(right.name.utf8) }

  func hash(into hasher: inout Hasher) {
    var name = name
    name.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}
