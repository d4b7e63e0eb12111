import MemArchive

/// An entry whose content is in memory.
struct DrawnEntry {
  let entry: ArchiveEntry
  /// Its number among all entries of the archive, from 1.
  let position: Int
  let file: MemFile
}

/// An archive of `each`, whose entries one thread after another draws.
final class EntryReading {
  /// Upper bounds of what is drawn at once; the first beyond them is the last.
  struct Portion {
    let entries: Int
    let bytes: Int
  }

  let archive: Archive
  private let walk: ArchiveWalk
  /// The positions of entries that are done already.
  private let done: Set<Int>
  /// Charged for what is kept of `deferred`.
  private let account: EntryAccount
  /// Empty files whose content another name may have (cpio), by their path.
  private var deferred: [NameKey: (entry: ArchiveEntry, position: Int)] = [:]
  /// Those of them that are empty, the last first; nil before the archive's end.
  private var empty: [(entry: ArchiveEntry, position: Int)]?
  private(set) var entries = 0
  private(set) var files = 0
  private(set) var bytes: Int64 = 0

  /// - Parameter done: The positions of entries to leave out.
  init(_ archive: Archive, _ options: WalkOptions, without done: Set<Int>) {
    (self.archive, self.done) = (archive, done)
    account = EntryAccount(archive.context.ledger)
    // Nothing is extracted ahead, which would be in memory.
    walk = ArchiveWalk(archive, options, .eachInStep, storage: .automatic, showsEntries: true)
  }

  /// Whether nothing is left.
  var isAtEnd: Bool { empty?.isEmpty ?? false }
  /// What was wrong with the archive so far.
  var status: ExitStatus { walk.status }

  /// The next entries with content, none at the end.
  func draw(_ most: Portion) throws -> [DrawnEntry] {
    var drawn: [DrawnEntry] = []
    var size = 0
    while drawn.count < most.entries, size < most.bytes {
      if let last = empty?.popLast() {
        drawn.append(
          DrawnEntry(
            entry: last.entry, position: last.position, file: try MemFile(name: last.entry.name, bytes: [])))
      } else if empty != nil {
        break
      } else if !(try walk.next { entry, outer, content in
        guard let next = try take(entry, inside: outer, content) else { return }
        drawn.append(next)
        size += next.file.size
      }) {
        // What comes with a later name may be in what was not read.
        let known = walk.status == .done ? deferred.values.filter { !done.contains($0.position) } : []
        empty = known.sorted { $0.position > $1.position }
        deferred = [:]
      }
    }
    files += drawn.count
    bytes += Int64(size)
    return drawn
  }

  private func take(
    _ entry: ArchiveEntry, inside outer: String?, _ content: Archive.Content
  ) throws -> DrawnEntry? {
    entries += 1
    guard entry.hasContent else { return nil }
    guard !entry.mayGetContentLater else {
      try account.add(entry)
      deferred[NameKey(path: entry.name)] = (entry, walk.position)
      return nil
    }
    if entry.kind == .hardlink, let target = entry.target(inside: outer) {
      deferred[NameKey(path: target)] = nil
    }
    guard !done.contains(walk.position) else { return nil }
    return DrawnEntry(entry: entry, position: walk.position, file: try content())
  }
}
