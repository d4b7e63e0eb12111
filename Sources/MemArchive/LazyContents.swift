internal import Synchronization

/// A listed archive, and what has been extracted of it.
final class LazyContents: Sendable {
  let listing: FileCollector.Listing
  let options: ExtractionOptions
  /// The positions of the entries whose names lead to content.
  let named: [Int]
  /// Where the archive's compression can be begun from; nil where that cannot be, or the archive itself tells.
  let index: MemFile?
  private let reader: ArchiveReader
  private let hooks: ExtractionContext.Hooks
  /// One for everything that is extracted.
  private let ledger: Ledger
  /// Charged for the index.
  private let account: EntryAccount
  /// Where each entry is, for a reading that begins there.
  private let places: [Int64?]
  private let state = Mutex(State())

  private struct State {
    var kept: [Int: MemFile] = [:]
    var running: [Int: LazyExtraction] = [:]
  }

  init(
    _ archive: ArchiveReader, _ selection: EntrySelection, index: MemFile?,
    in context: ExtractionContext
  ) throws(ArchiveError) {
    (options, hooks, ledger) = (context.options, context.hooks, context.ledger)
    var kept = try archive.kept(in: context)
    kept.index = index.map { .file($0) }
    account = EntryAccount(context.ledger)
    var noted: MemFile?
    (listing, places, noted) = try context.observing(.entries, of: kept) {
      [kept] context throws(ArchiveError) in
      var visitor = ListingVisitor(FileCollector(selection, in: context))
      let protection = try kept.visit(&visitor, in: context)
      visitor.collector.setProtection(protection)
      return (try visitor.collector.finishListing(context.ledger), visitor.places, visitor.index)
    }
    if let made = noted {
      // Without room for it, entries are decoded from the beginning.
      do throws(ArchiveError) { try account.hold(Int64(made.size), entry: nil) } catch { noted = nil }
    }
    self.index = index ?? noted
    kept.index = self.index.map { .file($0) }
    reader = kept
    // Each may be read again, as often as it is asked for.
    ledger.uncount(listing.files.entries.count)
    named = listing.contents.indices.filter { [listing] in listing.contents[$0] != nil }
  }

  /// For one request: what it has time for begins now.
  func context() -> ExtractionContext { ExtractionContext(options, ledger: ledger, hooks: hooks) }

  /// The position of the entry that has the content to which a name leads.
  func position(of name: String) throws(ArchiveError) -> Int {
    guard let position = listing.positions[NameKey(name)] else {
      throw listing.files.error(for: name) ?? .noSuchEntry(name, among: listing.files.entries)
    }
    guard let content = listing.contents[position] else {
      throw listing.files.error(for: name) ?? listing.files.missing([name]).first
        ?? .notAFile(listing.files.entries[position])
    }
    return content
  }

  func kept(_ position: Int) -> MemFile? { state.withLock { $0.kept[position] } }

  /// - Parameter positions: nil for all.
  func release(_ positions: [Int]?) {
    // Closed outside the lock.
    var released: [MemFile] = []
    state.withLock { state in
      for position in positions ?? Array(state.kept.keys) {
        if let file = state.kept.removeValue(forKey: position) { released.append(file) }
      }
    }
  }

  private enum Turn {
    case done(MemFile)
    case run(LazyExtraction)
    case wait(LazyExtraction)
  }

  /// The content of an entry, which is extracted unless it is kept, or another caller is about to extract it.
  func file(_ position: Int, keeping: Bool, in context: ExtractionContext) throws(ArchiveError) -> MemFile {
    while true {
      let turn: Turn = state.withLock { state in
        if let file = state.kept[position] { return .done(file) }
        let running = state.running[position]
        let extraction = running ?? LazyExtraction()
        state.running[position] = extraction
        extraction.keeps(keeping)
        return running == nil ? .run(extraction) : .wait(extraction)
      }
      switch turn {
      case .done(let file): return file
      case .run(let extraction):
        let result = Result { () throws(ArchiveError) in try extract(position, in: context) }
        state.withLock { state in
          state.running[position] = nil
          if extraction.isKept, case .success(let file) = result { state.kept[position] = file }
        }
        extraction.end(result)
        return try result.get()
      case .wait(let extraction):
        // A caller who gave up did so for itself alone.
        if let file = try extraction.wait(context.cancellation) { return file }
      }
    }
  }

  private func extract(_ position: Int, in context: ExtractionContext) throws(ArchiveError) -> MemFile {
    try context.observing(.extract, of: reader) { context throws(ArchiveError) in
      do throws(ArchiveError) {
        let file = try read(position, in: context)
        // What was written into it meanwhile may be in the content.
        try reader.check()
        return file
      } catch {
        throw error.naming(listing.files.entries[position].name)
      }
    }
  }

  private func read(_ position: Int, in context: ExtractionContext) throws(ArchiveError) -> MemFile {
    let (wanted, place) = (listing.files.entries[position], places[position])
    let entries: any EntrySource
    var current = place == nil ? -1 : position - 1
    // Once it has sent what it was to find, a worker reads on to the end of the compression, and finds no other of that name.
    let isRepeated = place == nil && listing.files.entries[..<position].contains { $0.name == wanted.name }
    do throws(ArchiveError) {
      entries = try reader.entries(in: context, .listed(wanted.name, at: place, asks: isRepeated))
      while current < position {
        do throws(ArchiveError) {
          guard let entry = try entries.next() else { throw .changed() }
          current += 1
          guard current < position || entry == wanted else { throw .changed() }
        } catch {
          // Listed nonetheless, with the errors of others.
          guard place == nil, options.continues(after: error) else { throw error }
        }
      }
    } catch {
      // The header was there, and intact.
      throw place != nil && (error.concernsArchive || error.saysNoArchive) ? .changed() : error
    }
    let file = try entries.extract(wanted)
    try entries.finish()
    return file
  }
}

extension ArchiveReader {
  /// Throws if the archive has changed since it was opened to be kept.
  fileprivate func check() throws(ArchiveError) {
    guard case .kept(let files) = origin else { return }
    for file in files { try file.check() }
  }
}

/// Lists an archive, and takes nothing.
private struct ListingVisitor: EntryVisitor {
  var collector: FileCollector
  private(set) var places: [Int64?] = []
  private(set) var index: MemFile?
  private var place: Int64?

  init(_ collector: FileCollector) { self.collector = collector }

  var prefetch: Prefetch { .listing }

  mutating func locate(_ place: Int64?) { self.place = place }

  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    places.append(place)
    if try collector.wants(entry) { collector.list(places.count - 1) }
    return false
  }

  mutating func take(index: MemFile) { self.index = index }
  mutating func add(_: MemFile?, for _: ArchiveEntry, position _: Int) {}
  mutating func note(_ error: ArchiveError) throws(ArchiveError) { try collector.note(error) }
  mutating func end(warnings: [ArchiveWarning], failedPosition: Int?) {
    collector.end(warnings: warnings, failedPosition: failedPosition)
  }
}

/// An extraction that several callers may wait for.
private final class LazyExtraction: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var result: Result<MemFile, ArchiveError>?
  // Guarded by the lock of those who share it.
  private(set) var isKept = false

  /// How often a caller who waits looks whether it still wants to.
  private static let patience: Int32 = 50

  func keeps(_ keeping: Bool) { isKept = isKept || keeping }

  func end(_ result: Result<MemFile, ArchiveError>) {
    monitor.locked {
      self.result = result
      monitor.notifyAll()
    }
  }

  /// nil if the caller that extracts it has given up.
  func wait(_ cancellation: Cancellation) throws(ArchiveError) -> MemFile? {
    while true {
      let ended: Result<MemFile, ArchiveError>? = monitor.locked {
        if result == nil { monitor.wait(milliseconds: Self.patience) }
        return result
      }
      try cancellation.check()
      switch ended {
      case .success(let file)?: return file
      case .failure(let error)?:
        if [.cancelled, .timedOut].contains(error.code) { return nil }
        throw error
      case nil: continue
      }
    }
  }
}
