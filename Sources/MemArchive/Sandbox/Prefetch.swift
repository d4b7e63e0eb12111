/// The entries that a worker extracts before they are requested. It knows nothing of duplicates and links, and an extracted
/// entry need not be wanted: the host decides, and drops what it refuses.
package struct Prefetch: Equatable, Sendable {
  enum Mode: UInt8, CaseIterable, Sendable {
    /// No content will be requested.
    case nothing
    /// The worker asks the host about each entry with content.
    case asking
    /// The content of entries that match the patterns, or have one of the names.
    case matching
  }

  /// How much of the archive a reading is about.
  enum Extent: UInt8, CaseIterable, Sendable {
    /// All of it: at its end every checksum of the layers around it has been verified.
    case whole
    /// Headers, and the content that is asked for: what lies between is not read where the archive allows that. The places of
    /// entries are told.
    case sparing
    /// One entry that such a reading has listed, and counted.
    case again
  }

  var mode: Mode
  /// fnmatch(3) patterns; an empty list admits every name.
  var include: [String] = []
  var exclude: [String] = []
  /// Only these names.
  var names: [String]?
  /// Whether entries whose names lead out of the archive are left out.
  var safeOnly = false
  /// Whether each entry's content is requested before the next entry: each has its own slab, and little is in flight.
  var inStep = false
  var extent = Extent.whole
  /// Where the header of the first entry is; nil: reading begins with the archive's first.
  var place: Int64?

  /// Nothing is extracted.
  package static var headers: Self { Self(mode: .nothing) }
  /// The host is asked, and continues while content is in flight.
  package static var onDemand: Self { Self(mode: .asking) }
  /// The host is asked, and takes the content before it continues.
  package static var eachInStep: Self { Self(mode: .asking, inStep: true) }
  /// Everything, for a host that takes the content of one entry after another.
  package static var allInStep: Self { Self(mode: .matching, inStep: true) }
  /// Everything whose name matches one of `include`, or any name if that is empty, and none of `exclude`.
  package static func contents(include: [String] = [], exclude: [String] = []) -> Self {
    Self(mode: .matching, include: include, exclude: exclude)
  }
  /// Everything whose name stays inside the archive.
  static var safeContents: Self { Self(mode: .matching, safeOnly: true) }
  /// Everything with one of these names.
  static func named(_ names: [String]) -> Self { Self(mode: .matching, names: names) }
  /// Nothing yet: names and places alone.
  static var listing: Self { Self(mode: .nothing, inStep: true, extent: .sparing) }
  /// One entry of a listing, which the worker finds by its name unless it is to ask about each.
  static func listed(_ name: String, at place: Int64?, asks: Bool) -> Self {
    Self(
      mode: asks ? .asking : .matching, names: asks ? nil : [name], inStep: true, extent: .again, place: place
    )
  }

  /// Whether the worker tells where each entry is.
  var tellsPlaces: Bool { extent == .sparing && mode == .nothing }

  /// A function that decides for each entry whether its content follows.
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
      // It may carry the content of other names, which are wanted (cpio).
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
    try coder.choice(&extent)
    try coder.number(&place)
  }
}
