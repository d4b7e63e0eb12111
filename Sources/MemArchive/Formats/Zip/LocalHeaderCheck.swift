internal import Synchronization

/// Compares every local header of a zip with the directory's, on several threads if there are many.
struct LocalHeaderCheck: Sendable {
  /// The entries in file order.
  let places: [ZipDirectory.Place]
  /// The directory's bytes.
  let directory: [UInt8]
  /// Where the last entry's content has to end.
  let end: Int64
  /// Whether one local header may stand for several entries, whatever their names.
  let sharesHeaders: Bool
  let source: SharedSource
  let cancellation: Cancellation

  /// The result for a range of entries.
  struct Part: Sendable {
    let range: Range<Int>
    /// Where each entry's content begins.
    var contents: [Int64] = []
    /// The entries that cannot be read.
    var defects: [(Int, ZipDefect)] = []
    /// The first entry's headers that contradict each other, as the end of a sentence.
    var contradiction: String?
  }

  /// The number of headers that is worth a thread, which takes as long to start as checking a hundred of them.
  private static let share = 2048

  /// Looks at a range of entries. Throws the error of the first that fails, whatever the number of threads.
  func run(_ range: Range<Int>, threads: Int) throws(ZipDirectory.Refusal) -> [Part] {
    let count = max(1, min(threads, range.count / Self.share))
    let ranges = (0..<count).map {
      range.lowerBound + range.count * $0 / count..<range.lowerBound + range.count * ($0 + 1) / count
    }
    let others = ranges.dropFirst().map { Pending($0) }
    var group = ThreadGroup()
    for other in others {
      // If no thread can be started, the work is done below.
      try? group.start { other.finish(self) }
    }
    let first = Pending(ranges[0])
    first.finish(self)
    group.join()
    var parts: [Part] = []
    for pending in [first] + others {
      pending.finish(self)
      if let part = try pending.result { parts.append(part) }
    }
    return parts
  }

  private final class Pending: Sendable {
    private let range: Range<Int>
    private let outcome = Mutex<Result<Part, ZipDirectory.Refusal>?>(nil)

    init(_ range: Range<Int>) { self.range = range }

    var result: Part? {
      get throws(ZipDirectory.Refusal) { try outcome.withLock { $0 }?.get() }
    }

    /// Runs the check unless it has run already.
    func finish(_ check: LocalHeaderCheck) {
      guard outcome.withLock({ $0 == nil }) else { return }
      let result: Result<Part, ZipDirectory.Refusal>
      do throws(ZipDirectory.Refusal) {
        result = .success(try check.look(at: range))
      } catch {
        result = .failure(error)
      }
      outcome.withLock { $0 = result }
    }
  }

  func look(at range: Range<Int>) throws(ZipDirectory.Refusal) -> Part {
    var part = Part(range: range)
    part.contents.reserveCapacity(range.count)
    var headers = HeaderWindow(source)
    for index in range {
      if index % ZipDirectory.checkedAtOnce == 0 {
        try ZipDirectory.reading { () throws(ArchiveError) in try cancellation.check() }
      }
      let place = places[index]
      guard place.defect == nil, let record = ZipRecord(central: directory, at: place.record) else {
        part.contents.append(0)
        continue
      }
      let next = index + 1 < places.count ? places[index + 1].localHeader : end
      var (content, size) = (place.localHeader, record.compressedSize)
      do throws(ZipDirectory.Refusal) {
        let local = try ZipDirectory.local(&headers, at: content, nameLength: record.rawName.count)
        content += Int64(local.length)
        // Where the two differ, the content is refused.
        if !record.hasDataDescriptor { size = min(size, local.compressedSize) }
        if let defect = local.extra.defect {
          part.defects.append((index, defect))
        } else {
          let isShared = sharesHeaders && (next == place.localHeader || isSameHeader(index, index - 1))
          if let defect = try Self.compare(record, local, isShared: isShared) {
            part.defects.append((index, defect))
          }
        }
      } catch {
        guard case .contradiction(let text) = error else { throw error }
        part.contradiction = part.contradiction ?? text
      }
      if content > next || size > UInt64(next - content) {
        part.defects.append((index, .overlap))
      }
      part.contents.append(content)
    }
    return part
  }

  private func isSameHeader(_ index: Int, _ other: Int) -> Bool {
    places.indices.contains(other) && places[index].localHeader == places[other].localHeader
  }

  /// Throws if an entry's two headers contradict each other; returns what keeps the entry alone from being read.
  private static func compare(
    _ central: ZipRecord, _ local: ZipRecord, isShared: Bool
  ) throws(ZipDirectory.Refusal) -> ZipDefect? {
    // The directory's name stands in for one that is missing.
    guard
      isShared || local.rawName.isEmpty
        || (central.rawName.elementsEqual(local.rawName)
          && local.extra.name ?? central.name == central.name)
    else {
      if central.rawName.contains(0) || local.rawName.contains(0) { return .nulInName }
      throw .contradiction(
        "calls an entry \"\(EntryName.key(central.name))\" in its directory, and "
          + "\"\(EntryName.key(local.name))\" in front of it")
    }
    let name = EntryName.key(central.name)
    // Encryption, data descriptor, UTF-8, hidden headers.
    let meaningful: UInt16 = 1 | 1 << 3 | 1 << 6 | 1 << 11 | 1 << 13
    guard central.method == local.method, (central.flags ^ local.flags) & meaningful == 0,
      central.flags & 1 << 13 == 0
    else { throw .contradiction("has two headers for \"\(name)\" that differ in how it is stored") }
    let hasDescriptor = central.hasDataDescriptor
    // Sizes and checksum that follow the content may be missing in the local header.
    func agrees(_ central: UInt64, _ local: UInt64) -> Bool {
      local == central || (hasDescriptor && (local == 0 || local == UInt64(UInt32.max)))
    }
    guard agrees(UInt64(central.checksum), UInt64(local.checksum)),
      agrees(central.compressedSize, local.compressedSize),
      agrees(central.size, local.size)
    else { throw .contradiction("has two headers for \"\(name)\" that differ in its size or checksum") }
    guard central.method != 0 || central.isEncrypted || central.compressedSize == central.size else {
      throw .contradiction("has two sizes for \"\(name)\", which is not compressed")
    }
    return nil
  }
}
