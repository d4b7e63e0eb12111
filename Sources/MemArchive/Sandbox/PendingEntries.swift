/// The entries that a worker has told of, each until it was passed on and nothing more of it is awaited.
///
/// Headers come in the archive's order, and contents in any. A content is next once it is settled whether it is wanted: a
/// large entry is extracted before smaller ones that precede it.
struct PendingEntries {
  enum Content {
    case file(MemFile)
    case packed(slab: UInt32, offset: Int64, size: Int64)
    case failure(ArchiveError)
  }

  /// A content that came and is settled.
  struct Next {
    let position: Int
    let entry: ArchiveEntry
    let content: Content
    /// Whether it is not wanted.
    let isRefused: Bool
  }

  private struct Slot {
    let entry: ArchiveEntry
    let answer: WorkerMessage.Answer
    var content: Content?
    var isRefused = false
  }

  private var slots = PositionQueue<Slot>()
  /// The positions of contents, as they came.
  private var arrived: ArraySlice<Int> = []
  /// Those that came before they were settled.
  private var unsettled: Set<Int> = []
  /// The next one.
  private var next: Int?
  /// The entries whose content is to come.
  private(set) var awaitedCount = 0
  /// The position of the entry whose header came last.
  private(set) var lastPosition = -1
  /// That of the entry that was passed on last, and what the worker said of its content; nil once that is settled.
  private(set) var position = -1
  private(set) var current: WorkerMessage.Answer?

  mutating func append(_ entry: ArchiveEntry, _ answer: WorkerMessage.Answer) {
    lastPosition += 1
    if answer != .no { awaitedCount += 1 }
    slots.append(Slot(entry: entry, answer: answer))
  }

  /// The entry at a position, if its content is to come.
  func awaited(_ position: Int64) -> ArchiveEntry? {
    guard let slot = slots[Int(position)], slot.answer != .no, slot.content == nil else { return nil }
    return slot.entry
  }

  /// Notes the content of an entry that is awaited.
  mutating func fill(_ position: Int64, _ content: Content) {
    slots[Int(position)]?.content = content
    awaitedCount -= 1
    arrived.append(Int(position))
  }

  /// The next entry; nil where none has come.
  mutating func passOn() -> ArchiveEntry? {
    guard position < lastPosition, let slot = slots[position + 1] else { return nil }
    position += 1
    current = slot.answer
    if slot.answer == .no { slots.remove(position) }
    return slot.entry
  }

  /// What the worker said of the content of the entry at hand, which is wanted.
  mutating func settleCurrent() -> WorkerMessage.Answer? { current.take() }

  /// The content of the entry at hand is not wanted, unless that is settled; returns the entry where the worker awaits an
  /// answer.
  mutating func refuseCurrent() -> ArchiveEntry? {
    switch current.take() {
    case .asks:
      defer { slots.remove(position) }
      awaitedCount -= 1
      return slots[position]?.entry
    case .yes: slots[position]?.isRefused = true
    case .no, nil: break
    }
    return nil
  }

  /// The next content that came and is settled.
  mutating func nextContent() -> Next? {
    if next == nil { findNext() }
    guard let next, let slot = slots[next], let content = slot.content else { return nil }
    return Next(position: next, entry: slot.entry, content: content, isRefused: slot.isRefused)
  }

  private mutating func findNext() {
    let isSettled = current == nil
    if isSettled, !unsettled.isEmpty { next = unsettled.remove(position) }
    while next == nil, let arrived = arrived.popFirst() {
      if arrived < position || (arrived == position && isSettled) {
        next = arrived
      } else {
        unsettled.insert(arrived)
      }
    }
  }

  /// Removes what `nextContent` returned.
  mutating func removeNext() {
    if let position = next.take() { slots.remove(position) }
  }
}
