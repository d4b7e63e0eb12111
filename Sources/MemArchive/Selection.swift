internal import Glibc

/// Which entries are to be extracted.
public struct Selection: Sendable {
  enum Rule: Sendable {
    case all
    /// Those in order have to be there.
    case names(Set<NameKey>, inOrder: [String])
    case globs([Glob])
    case matching(@Sendable (ArchiveEntry) -> Bool)
  }

  let rule: Rule

  /// The names that have to be there.
  var requiredNames: [String] { if case .names(_, let names) = rule { names } else { [] } }

  /// Every entry.
  public static var all: Self { Self(rule: .all) }

  /// The entries with exactly these names, and what they link to. A name that the archive does not hold throws
  /// ``ArchiveError/Code/noSuchEntry``.
  public static func names(_ names: some Sequence<String>) -> Self {
    let names = Array(names)
    return Self(rule: .names(Set(names.map { NameKey($0) }), inOrder: names))
  }

  /// The entries with these names, as far as there are any, and what they link to.
  package static func anyNamed(_ names: [String]) -> Self {
    Self(rule: .names(Set(names.map { NameKey($0) }), inOrder: []))
  }

  /// The entries for which `predicate` answers `true`. A link for which it does comes with its target's content.
  public static func matching(_ predicate: @escaping @Sendable (ArchiveEntry) -> Bool) -> Self {
    Self(rule: .matching(predicate))
  }

  /// The entries whose name matches one of these patterns, byte by byte, as in fnmatch(3): `*` and `?` match `/` too, and
  /// `[a-z]` one byte. A link whose name matches comes with its target's content.
  public static func glob(_ patterns: String...) -> Self {
    Self(rule: .globs(patterns.map { Glob($0) }))
  }
}

/// A pattern of fnmatch(3).
package struct Glob: Sendable {
  /// As it was given.
  package let text: String
  private let pattern: [CChar]

  package init(_ pattern: String) {
    text = pattern
    self.pattern = Self.cString(pattern)
  }

  /// Whether it matches a name that `cString` gave.
  package func matches(_ name: [CChar]) -> Bool { unsafe fnmatch(pattern, name, 0) == 0 }

  /// Whether some of `include` match, or there are none, and none of `exclude` does.
  package static func admits(_ entry: ArchiveEntry, include: [Glob], exclude: [Glob]) -> Bool {
    // Most often everything is wanted, and a name costs something to convert.
    guard !include.isEmpty || !exclude.isEmpty else { return true }
    let name = cString(entry.name)
    return (include.isEmpty || include.contains { $0.matches(name) })
      && !exclude.contains { $0.matches(name) }
  }

  /// The raw bytes of a key, with the zero that C wants.
  package static func cString(_ key: String) -> [CChar] {
    EntryName.raw(key).map { CChar(bitPattern: $0) } + [0]
  }
}
