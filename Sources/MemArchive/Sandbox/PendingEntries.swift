/// The entries that a worker has reported, each until it was passed on and its content has been dealt with.
///
/// Headers arrive in the archive's order, and contents in any order. A content is next once it is settled whether it is
/// wanted: a large entry is extracted before smaller ones that precede it.
struct PendingEntries {
  enum Content {
    case file(MemFile)
    case packed(slab: UInt32, offset: Int64, size: Int64)
    /// Stored, or dropped if it was refused.
    case stored
    /// With the threads that store it, and deliver it.
    case passedOn
    case failure(ArchiveError)
  }

  /// A content that has arrived and is settled.
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
    let place: Int64?
    var content: Content?
    var isRefused = false
  }

  private var slots = PositionQueue<Slot>()
  /// The positions of contents in the order of their arrival.
  private var arrived: ArraySlice<Int> = []
  /// The positions of contents that arrived before they were settled, and of those that have been settled since, which may have
  /// to wait for the slab of one before them.
  private var unsettled: Set<Int> = []
  private var settled: ArraySlice<Int> = []
  /// The position of the next content.
  private var next: Int?
  /// The number of entries whose content has yet to arrive.
  private(set) var awaitedCount = 0
  /// The position of the entry whose header arrived last.
  private(set) var lastPosition = -1
  /// The position of the entry that was passed on last, and the worker's answer about its content; nil once that is settled.
  private(set) var position = -1
  private(set) var current: WorkerMessage.Answer?
  /// Where that entry is.
  private(set) var place: Int64?

  mutating func append(_ entry: ArchiveEntry, _ answer: WorkerMessage.Answer, at place: Int64?) {
    lastPosition += 1
    if answer != .no { awaitedCount += 1 }
    slots.append(Slot(entry: entry, answer: answer, place: place))
  }

  /// The entry at a position, if its content has yet to arrive.
  func awaited(_ position: Int64) -> ArchiveEntry? {
    guard let slot = slots[Int(position)], slot.answer != .no, slot.content == nil else { return nil }
    return slot.entry
  }

  /// Whether the content at a position, which has yet to arrive, is wanted; nil while that is not settled.
  func isWanted(_ position: Int64) -> Bool? {
    guard position < self.position || (position == self.position && current == nil) else { return nil }
    return slots[Int(position)]?.isRefused != true
  }

  /// Notes the content of an awaited entry.
  mutating func fill(_ position: Int64, _ content: Content) {
    slots[Int(position)]?.content = content
    awaitedCount -= 1
    arrived.append(Int(position))
  }

  /// The next entry; nil if none has arrived.
  mutating func passOn() -> ArchiveEntry? {
    guard position < lastPosition, let slot = slots[position + 1] else { return nil }
    position += 1
    (current, place) = (slot.answer, slot.place)
    if slot.answer == .no { slots.remove(position) }
    return slot.entry
  }

  /// Accepts the current entry's content, and returns the worker's answer about it.
  mutating func settleCurrent() -> WorkerMessage.Answer? {
    defer { noteSettled() }
    return current.take()
  }

  private mutating func noteSettled() {
    if !unsettled.isEmpty, let position = unsettled.remove(position) { settled.append(position) }
  }

  /// Declines the current entry's content, unless that is settled; returns the entry if the worker awaits an answer.
  mutating func refuseCurrent() -> ArchiveEntry? {
    defer { noteSettled() }
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

  /// Removes the next content that has arrived and is settled; nil if there is none, or if its slab has yet to arrive.
  mutating func takeNext(ifRefused: Bool = false, in files: borrowing ReceivedFiles) -> Next? {
    if next == nil { findNext() }
    guard let position = next else { return nil }
    if case .packed(let slab, _, _) = slots[position]?.content, !files.hasSlab(slab) { return nil }
    if ifRefused, slots[position]?.isRefused != true { return nil }
    next = nil
    guard let slot = slots.remove(position), let content = slot.content else { return nil }
    return Next(position: position, entry: slot.entry, content: content, isRefused: slot.isRefused)
  }

  private mutating func findNext() {
    let isSettled = current == nil
    next = settled.popFirst()
    while next == nil, let arrived = arrived.popFirst() {
      if arrived < position || (arrived == position && isSettled) {
        next = arrived
      } else {
        unsettled.insert(arrived)
      }
    }
  }
}
