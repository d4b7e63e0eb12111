internal import Libc

/// The entries to be extracted.
public struct EntrySelection: Sendable {
  enum Rule: Sendable {
    case all
    /// The names in `inOrder` must exist.
    case names(Set<NameKey>, inOrder: [String])
    case globs([Glob])
    case matching(@Sendable (ArchiveEntry) -> Bool)
  }

  let rule: Rule
  /// What is not selected although the rule has it.
  private(set) var excluded: [Glob] = []

  private init(rule: Rule) { self.rule = rule }

  /// The names that must exist.
  var requiredNames: [String] {
    guard case .names(_, let names) = rule else { return [] }
    return excluded.isEmpty ? names : names.filter { !excludes($0) }
  }

  /// Whether the name matches a pattern of ``excluding(_:)``.
  func excludes(_ name: String) -> Bool {
    guard !excluded.isEmpty else { return false }
    let name = Glob.cString(name)
    return excluded.contains { $0.matches(name) }
  }

  /// Every entry.
  public static var all: Self { Self(rule: .all) }

  /// The entries with exactly these names, and their link targets. A name that the archive does not have throws
  /// ``ArchiveError/Code/noSuchEntry``.
  public static func names(_ names: some Sequence<String>) -> Self {
    let names = Array(names)
    return Self(rule: .names(Set(names.map { NameKey($0) }), inOrder: names))
  }

  /// The entries with exactly these names, and their link targets, as if they came in an array.
  public static func names(_ names: String...) -> Self { .names(names) }

  /// The entries with these names, if they exist, and their link targets.
  package static func anyNamed(_ names: [String]) -> Self {
    Self(rule: .names(Set(names.map { NameKey($0) }), inOrder: []))
  }

  /// The entries for which `predicate` returns `true`. A selected link comes with its target's content.
  public static func matching(_ predicate: @escaping @Sendable (ArchiveEntry) -> Bool) -> Self {
    Self(rule: .matching(predicate))
  }

  /// The entries whose name matches one of these patterns, byte by byte, as in fnmatch(3): `*` and `?` match `/` too, and
  /// `[a-z]` one byte. A link whose name matches comes with its target's content. Where none matches there is
  /// ``ArchiveError/Code/noSuchEntry``, or a warning (``ExtractionOptions/unmatchedSelection``).
  public static func glob(_ patterns: some Sequence<String>) -> Self {
    Self(rule: .globs(patterns.map { Glob($0) }))
  }

  /// The entries whose name matches one of these patterns, as if they came in an array.
  public static func glob(_ patterns: String...) -> Self { .glob(patterns) }

  /// Every entry but those whose name matches one of these patterns, see ``glob(_:)-(String...)``. The target of a selected
  /// link comes with it, whatever its name.
  public static func excluding(_ patterns: some Sequence<String>) -> Self { Self.all.excluding(patterns) }

  /// Every entry but those whose name matches one of these patterns, as if they came in an array.
  public static func excluding(_ patterns: String...) -> Self { .excluding(patterns) }

  /// The same entries but those whose name matches one of these patterns: `.glob("*.so*").excluding("*/debug/*")`.
  public func excluding(_ patterns: some Sequence<String>) -> Self {
    var selection = self
    selection.excluded += patterns.map { Glob($0) }
    return selection
  }

  /// The same entries but those whose name matches one of these patterns, as if they came in an array.
  public func excluding(_ patterns: String...) -> Self { excluding(patterns) }
}

/// An fnmatch(3) pattern.
package struct Glob: Sendable {
  /// The pattern's text.
  package let text: String
  private let pattern: [CChar]

  package init(_ pattern: String) {
    text = pattern
    self.pattern = Self.cString(pattern)
  }

  /// Whether it matches a name converted by `cString`.
  package func matches(_ name: [CChar]) -> Bool { unsafe fnmatch(pattern, name, 0) == 0 }

  /// Whether one of `include` matches, or there are none, and none of `exclude` does.
  package static func admits(_ entry: ArchiveEntry, include: [Glob], exclude: [Glob]) -> Bool {
    // Usually everything is wanted, and converting a name has a cost.
    guard !include.isEmpty || !exclude.isEmpty else { return true }
    let name = cString(entry.name)
    return (include.isEmpty || include.contains { $0.matches(name) })
      && !exclude.contains { $0.matches(name) }
  }

  /// The raw bytes of a name, zero-terminated and without a leading "./".
  package static func cString(_ key: String) -> [CChar] {
    EntryName.withoutDot(EntryName.raw(key)).map { CChar(bitPattern: $0) } + [0]
  }
}
