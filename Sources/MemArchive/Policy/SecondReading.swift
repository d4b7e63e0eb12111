/// A visitor of whose entries some turn out, at the end, to be needed by links, and have gone by without being taken.
protocol LinkFollowing: EntryVisitor {
  /// All entries that it was asked about.
  var entries: [ArchiveEntry] { get }
  var errors: [ArchiveError] { get }
  /// The positions of the entries that are needed still.
  mutating func missing(_ ledger: Ledger) throws(ArchiveError) -> Set<Int>
  /// As `wants`, of one of these.
  mutating func wantsMissing(_ entry: ArchiveEntry, _ position: Int) throws(ArchiveError) -> Bool
}

extension ArchiveReader {
  /// Goes through all entries, and once more for those that links need, unless the archive is a pipe.
  func visitFollowingLinks(
    _ visitor: inout some LinkFollowing, in context: ExtractionContext
  ) throws(ArchiveError) -> Protection? {
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

/// Goes through an archive again, for some of its entries.
private struct SecondReading<Visitor: LinkFollowing>: EntryVisitor {
  var visitor: Visitor
  private let missing: Set<Int>
  private let names: Set<NameKey>
  private var position = -1

  init(_ visitor: Visitor, _ missing: Set<Int>) {
    (self.visitor, self.missing) = (visitor, missing)
    names = Set(missing.map { NameKey(visitor.entries[$0].name) })
  }

  var destinations: MakeDestination? { visitor.destinations }

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

  // What is damaged elsewhere was noted when it was met first.
  mutating func note(_ error: ArchiveError) throws(ArchiveError) {
    guard let entry = error.entry, names.contains(NameKey(entry)), !visitor.errors.contains(error) else {
      return
    }
    try visitor.note(error)
  }

  func end(warnings: [ArchiveWarning], failedPosition: Int?) {}
}
