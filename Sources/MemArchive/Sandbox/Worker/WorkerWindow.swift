internal import SealedMemory
internal import Synchronization

/// The worker's side of the memory in which it delivers content that the host copies: which pane may be filled.
final class WorkerWindow: Sendable {
  private struct Pane {
    var isOpen = false
    /// The number of contents in it that the host has been told of, modulo 2³².
    var announced: UInt32 = 0
  }

  let window: Window
  var waitingAddress: UInt32 { window.waitingAddress }
  private let panes: Mutex<[Pane]>

  init(_ window: Window) {
    self.window = window
    panes = Mutex([Pane](repeating: Pane(), count: window.panes))
  }

  /// Opens a pane for the calling thread as soon as there is one whose contents have all been copied: the first, so that few
  /// are used where few are needed.
  ///
  /// - Parameter flush: Called before waiting, so that the host knows everything that it is to copy.
  func open(orElse flush: () -> Void) -> Int {
    while true {
      let changes = window.changes
      let pane = panes.withLock { panes in
        let free = panes.indices.first { !panes[$0].isOpen && window.copied($0) == panes[$0].announced }
        if let free { panes[free].isOpen = true }
        return free
      }
      if let pane { return pane }
      flush()
      window.waitForChange(after: changes)
    }
  }

  /// Counts another content in a pane, before the host is told of it.
  func announce(in pane: Int) { panes.withLock { $0[pane].announced &+= 1 } }

  func close(_ pane: Int) { panes.withLock { $0[pane].isOpen = false } }
}

/// Delivers content to a host that copies it, on one thread: what fits into a pane whole, and everything else part by part.
final class WindowWriter: EntryDestination {
  private let window: WorkerWindow
  private let connection: WorkerConnection
  private let ledger: Ledger
  /// The open pane, and how much of it is used.
  private var pane: Int?
  private var used = 0

  // The current entry.
  private var position: Int64 = 0
  /// Where the part that is being filled begins in the pane, and where it begins and ends in the content.
  private var start = 0
  private var part: Range<Int64> = 0..<0
  /// Whether a part has been sent.
  private var isParted = false

  init(_ window: WorkerWindow, _ connection: WorkerConnection, _ ledger: Ledger) {
    (self.window, self.connection, self.ledger) = (window, connection, ledger)
  }

  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile? {
    var charge = Charge(ledger, entry: entry.name, reserved ?? Reservation())
    if let declared = entry.size, reserved == nil { try ledger.check(declared: declared, entry: entry.name) }
    begin(position, entry.size)
    let size: Int64
    do throws(ArchiveError) {
      size = try content { block, offset throws(ArchiveError) in
        let (blockEnd, overflow) = offset.addingReportingOverflow(Int64(block.byteCount))
        guard offset >= 0, !overflow else {
          throw .corrupt("a block lies at the impossible offset \(offset)", entry: entry.name)
        }
        try charge.grow(to: blockEnd)
        guard write(block, at: offset) else {
          throw .corrupt("a block lies before one that was read earlier", entry: entry.name)
        }
      }
      try charge.grow(to: size)
    } catch {
      // The host has not been told of the last part.
      used = start
      if isParted {
        connection.send(.part(position: self.position, offset: part.lowerBound, size: 0, place: 0))
      }
      throw error
    }
    finish(size)
    connection.passOn(charge)
    return nil
  }

  func prepareForMany() {}
  func reserveDescriptor(_: inout Charge) {}
  func finish() { closePane() }

  /// The rest of the pane.
  func room() -> Room? {
    if pane == nil || start + part.count == Window.paneSize { openPane() }
    let first = pane! * Window.paneSize
    return unsafe Room(window.window.memory(first + start + part.count..<first + Window.paneSize))
  }

  // MARK: One entry

  private func begin(_ position: Int, _ declared: Int64?) {
    self.position = Int64(position)
    // Copies are faster between lines of the cache.
    used = (used + 63) & -64
    let room = Int64(Window.paneSize - used)
    // What is smaller than a pane lies in one. Everything else is cut into whole panes: tmpfs gives larger pages to writes that
    // are aligned like these, and clears what a write leaves of them.
    if let declared, declared >= room { closePane() }
    (start, part, isParted) = (used, 0..<0, false)
  }

  /// False for a block that lies before what has been sent.
  private func write(_ block: RawSpan, at offset: Int64) -> Bool {
    var (block, offset) = (block, offset)
    if offset > part.upperBound {
      // A hole stays one.
      sendPart()
      part = offset..<offset
    }
    guard offset >= part.lowerBound else { return false }
    while block.byteCount > 0 {
      if pane == nil || start + Int(offset - part.lowerBound) == Window.paneSize { openPane() }
      // What comes again replaces what was there.
      let place = start + Int(offset - part.lowerBound)
      let count = min(block.byteCount, Window.paneSize - place)
      window.window.copy(block.extracting(first: count), to: pane! * Window.paneSize + place)
      block = block.extracting(droppingFirst: count)
      offset += Int64(count)
      used = max(used, place + count)
      part = part.lowerBound..<max(part.upperBound, offset)
    }
    return true
  }

  private func finish(_ size: Int64) {
    if !isParted, part == 0..<size {
      if size > 0 { window.announce(in: pane!) }
      connection.send(.file(position: position, size: size, .window(offset: place)))
    } else {
      sendPart()
      connection.send(.file(position: position, size: size, .parts))
    }
  }

  /// Where the part begins in the window; 0 for an empty one.
  private var place: Int64 { part.isEmpty ? 0 : Int64((pane ?? 0) * Window.paneSize + start) }

  private func sendPart() {
    isParted = isParted || !part.isEmpty
    if !part.isEmpty {
      window.announce(in: pane!)
      connection.send(
        .part(position: position, offset: part.lowerBound, size: Int64(part.count), place: place))
    }
    (start, part) = (used, part.upperBound..<part.upperBound)
  }

  private func openPane() {
    sendPart()
    closePane()
    pane = window.open { connection.flush() }
    (start, used) = (0, 0)
  }

  private func closePane() {
    if let pane = pane.take() {
      window.close(pane)
      connection.flush()
    }
    used = 0
  }
}
