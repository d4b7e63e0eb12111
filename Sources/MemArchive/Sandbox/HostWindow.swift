internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// The host's side of the memory in which a worker delivers content that the host copies.
///
/// The worker may change any of it at any time, which is harmless: each byte is copied once, to where the worker cannot reach,
/// and the copy is what counts.
final class HostWindow: Sendable {
  private struct State {
    var changes: UInt32 = 0
    /// For each pane, how many contents the worker has announced, and how many of them have been copied or dropped.
    var announced: [UInt32]
    var copied: [UInt32]
  }

  let panes: Int
  private let window: Window
  private let state: Mutex<State>

  /// - Returns: The window, and its descriptor for the worker.
  static func create(threads: Int) throws(ArchiveError) -> (HostWindow, HeldDescriptor) {
    // Each thread has one open, one is copied for each, and some wait.
    let panes = min(2 * threads + 8, Window.mostPanes)
    do throws(MemoryError) {
      let memfd = try Window.file(panes: panes)
      let window = HostWindow(try Window(memfd.descriptor, panes: panes, isFilled: false))
      return (window, HeldDescriptor(memfd.release()))
    } catch {
      throw ArchiveError(error)
    }
  }

  private init(_ window: Window) {
    self.window = window
    panes = window.panes
    let none = [UInt32](repeating: 0, count: panes)
    state = Mutex(State(announced: none, copied: none))
  }

  /// Content that the worker has announced; nil if it does not lie in one pane.
  func bytes(at start: Int64, size: Int64) -> WindowBytes? {
    guard start >= 0, size >= 0, size <= Int64(Window.paneSize),
      start <= Int64(panes * Window.paneSize) - size
    else { return nil }
    let range = Int(start)..<Int(start + size)
    if !range.isEmpty {
      let pane = Self.pane(range)
      guard range.upperBound <= (pane + 1) * Window.paneSize else { return nil }
      state.withLock { $0.announced[pane] &+= 1 }
    }
    return WindowBytes(self, range)
  }

  fileprivate func release(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    let pane = Self.pane(range)
    state.withLock { state in
      state.copied[pane] &+= 1
      window.setCopied(pane, to: state.copied[pane])
      guard state.copied[pane] == state.announced[pane] else { return }
      state.changes &+= 1
      window.tell(changes: state.changes)
    }
  }

  fileprivate func withBytes(
    _ range: Range<Int>, _ body: (RawSpan) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    try window.withBytes(range, body)
  }

  private static func pane(_ range: Range<Int>) -> Int { range.lowerBound / Window.paneSize }
}

/// A content, or a part of one, in the window. The worker may use the memory again when this is released.
final class WindowBytes: Sendable {
  private let window: HostWindow
  private let range: Range<Int>
  var count: Int { range.count }

  fileprivate init(_ window: HostWindow, _ range: Range<Int>) { (self.window, self.range) = (window, range) }

  deinit { window.release(range) }

  /// Calls `body` with the bytes, which may change meanwhile.
  func withBytes(_ body: (RawSpan) throws(ArchiveError) -> Void) throws(ArchiveError) {
    try window.withBytes(range, body)
  }
}
