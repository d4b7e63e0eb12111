/// A visitor that finds out at the end that links need entries which have passed without being taken.
protocol LinkFollowing: EntryVisitor {
  /// All entries so far.
  var entries: [ArchiveEntry] { get }
  var errors: [ArchiveError] { get }
  /// The positions of the entries that are still needed.
  mutating func missing(_ ledger: Ledger) throws(ArchiveError) -> Set<Int>
  /// Like `wants`, for one of these.
  mutating func wantsMissing(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool
}

extension ArchiveReader {
  /// Reads all entries, and again those that links need, unless the archive is a pipe.
  func visitFollowingLinks(
    _ visitor: inout some LinkFollowing, in context: ExtractionContext
  ) throws(ArchiveError) -> SandboxProtection? {
    let protection = try visit(&visitor, in: context)
    let missing = try visitor.missing(context.ledger)
    guard !missing.isEmpty, pipe?.isTaken != true else { return protection }
    context.ledger.uncount(visitor.entries.count)
    var second = SecondReading(visitor, missing)
    try visit(&second, in: context)
    visitor = second.visitor
    return protection
  }
}

/// Reads an archive again, for some of its entries.
private struct SecondReading<Visitor: LinkFollowing>: EntryVisitor {
  var visitor: Visitor
  private let missing: Set<Int>
  private let names: Set<NameKey>
  private var position = -1

  init(_ visitor: Visitor, _ missing: Set<Int>) {
    (self.visitor, self.missing) = (visitor, missing)
    names = Set(missing.map { NameKey(visitor.entries[$0].name) })
  }

  var destinations: MakePartedDestination? { visitor.destinations }

  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    position += 1
    guard missing.contains(position) else { return false }
    guard visitor.entries[position] == entry else {
      throw .corrupt("the archive changed while it was read", entry: entry.name)
    }
    return try visitor.wantsMissing(entry, position)
  }

  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int) {
    visitor.add(file, for: entry, position: position)
  }

  // Damage elsewhere was noted in the first reading.
  mutating func note(_ error: ArchiveError) throws(ArchiveError) {
    guard let entry = error.entry, names.contains(NameKey(entry)), !visitor.errors.contains(error) else {
      return
    }
    try visitor.note(error)
  }

  func end(warnings: [ArchiveWarning], failedPosition: Int?) {}
}
