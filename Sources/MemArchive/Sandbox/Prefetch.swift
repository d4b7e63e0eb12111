/// What a worker extracts before it is asked, entry by entry. It knows no duplicates and no links, and what it extracts is
/// not wanted for that: the host decides, and drops what it refuses.
package struct Prefetch: Equatable, Sendable {
  enum Mode: UInt8, CaseIterable, Sendable {
    /// No content will be asked for.
    case nothing
    /// The host is asked about each entry with content.
    case asking
    /// All content that matches the patterns, or has one of the names.
    case matching
  }

  var mode: Mode
  /// Patterns of fnmatch(3); none admit every name.
  var include: [String] = []
  var exclude: [String] = []
  /// These names alone.
  var names: [String]?
  /// Whether names that lead out of the archive are left out.
  var safeOnly = false
  /// Whether each content is asked for before the next entry: one slab for each, and little on its way.
  var inStep = false

  /// Nothing is extracted.
  package static var headers: Self { Self(mode: .nothing) }
  /// The host is asked, and goes on while content is on its way.
  package static var onDemand: Self { Self(mode: .asking) }
  /// The host is asked, and takes the content at once.
  package static var eachInStep: Self { Self(mode: .asking, inStep: true) }
  /// Everything, for a host that takes one content after another.
  package static var allInStep: Self { Self(mode: .matching, inStep: true) }
  /// Everything whose name matches one of `include`, or any where that is empty, and none of `exclude`.
  package static func contents(include: [String] = [], exclude: [String] = []) -> Self {
    Self(mode: .matching, include: include, exclude: exclude)
  }
  /// Everything whose name stays inside the archive.
  static var safeContents: Self { Self(mode: .matching, safeOnly: true) }
  /// Everything with one of these names.
  static func named(_ names: [String]) -> Self { Self(mode: .matching, names: names) }

  /// Tells of each entry whether its content follows.
  func makePlan() -> (ArchiveEntry) -> WorkerMessage.Answer {
    let (include, exclude) = (include.map { Glob($0) }, exclude.map { Glob($0) })
    let names = names.map { Set($0.map { NameKey($0) }) }
    return { [mode, safeOnly] entry in
      guard entry.hasContent, mode != .nothing else { return .no }
      guard mode == .matching else { return .asks }
      if safeOnly, !entry.isSafeRelative { return .no }
      if names?.contains(NameKey(entry.name)) ?? Glob.admits(entry, include: include, exclude: exclude) {
        return .yes
      }
      // Its content may be that of others which are wanted (cpio).
      return entry.kind == .hardlink ? .asks : .no
    }
  }

  mutating func code(_ coder: inout some FieldCoder) throws(Malformed) {
    try coder.choice(&mode)
    try coder.texts(&include)
    try coder.texts(&exclude)
    try coder.optional(&names, []) { coder, names throws(Malformed) in try coder.texts(&names) }
    try coder.flag(&safeOnly)
    try coder.flag(&inStep)
  }
}
