internal import CLinux
internal import Libc
package import SystemPackage

/// Memory through which one process passes content to another, which copies it: panes of one size, each filled again once
/// everything in it has been copied.
///
/// Nothing in it is ever final. Whoever fills it may change any byte at any time, so whoever reads it reads each byte once
/// and decides nothing by what is there. Its size is sealed, so that reading never fails.
@safe package final class Window: @unchecked Sendable {
  /// Bytes of a pane: enough that what is said about it costs little, and few enough that it stays in a processor's cache.
  package static let paneSize = 256 << 10
  /// Upper bound of panes: each has a number in the header.
  package static let mostPanes = 512
  private static let headerSize = 4096
  private static let seals = Int32(CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_SEAL)

  package let panes: Int
  private let base: UnsafeMutableRawPointer
  private let size: Int

  /// The memory file for a window of this many panes.
  package static func file(panes: Int) throws(MemoryError) -> Memfd {
    let memfd = try Memfd.create(name: "window", executable: false)
    do throws(Errno) { try SystemCalls.truncate(memfd.descriptor, to: Int64(size(panes))) } catch {
      throw .system("ftruncate", error, doing: "sizing memory that is shared with a worker")
    }
    do throws(Errno) { try SystemCalls.addSeals(seals, to: memfd.descriptor) } catch {
      throw .system("fcntl", error, doing: "sealing memory that is shared with a worker")
    }
    return memfd
  }

  /// Maps a window, whose descriptor may then be closed.
  ///
  /// - Parameter isFilled: Whether this process fills it; otherwise panes are mapped for reading only.
  package init(_ descriptor: FileDescriptor, panes: Int, isFilled: Bool) throws(MemoryError) {
    self.panes = min(panes, Self.mostPanes)
    size = Self.size(self.panes)
    let mapped = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.rawValue, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw .system("mmap", SystemCalls.lastError, doing: "mapping memory that is shared with a worker")
    }
    unsafe base = mapped
    if !isFilled { unsafe _ = mprotect(mapped + Self.headerSize, size - Self.headerSize, PROT_READ) }
  }

  deinit { unsafe _ = munmap(base, size) }

  private static func size(_ panes: Int) -> Int { headerSize + panes * paneSize }

  // MARK: Panes

  /// Calls `body` with a range of bytes, counted from the first pane's beginning.
  package func withBytes<Failure: Error>(
    _ range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    precondition(range.lowerBound >= 0 && range.upperBound <= panes * Self.paneSize)
    try body(
      unsafe UnsafeRawBufferPointer(
        start: base + Self.headerSize + range.lowerBound, count: range.count
      ).bytes)
  }

  /// The memory of a range, counted from the first pane's beginning, to be filled; valid as long as the window.
  package func memory(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    precondition(range.lowerBound >= 0 && range.upperBound <= panes * Self.paneSize)
    return unsafe UnsafeMutableRawBufferPointer(
      start: base + Self.headerSize + range.lowerBound, count: range.count)
  }

  /// Copies `block` to an offset, counted from the first pane's beginning, unless it lies there already.
  package func copy(_ block: RawSpan, to offset: Int) {
    precondition(offset >= 0 && offset + block.byteCount <= panes * Self.paneSize)
    unsafe block.withUnsafeBytes { source in
      let place = unsafe base + Self.headerSize + offset
      guard let start = source.baseAddress, unsafe start != UnsafeRawPointer(place) else { return }
      unsafe place.copyMemory(from: start, byteCount: source.count)
    }
  }

  // MARK: The header

  /// The lower half of the address that `waitForChange` waits at.
  package var waitingAddress: UInt32 { unsafe UInt32(truncatingIfNeeded: UInt(bitPattern: base)) }

  /// Changes whenever a pane may be filled again.
  package var changes: UInt32 { unsafe clinux_load_shared(number(0)) }

  /// How many contents of a pane have been copied, modulo 2³².
  package func copied(_ pane: Int) -> UInt32 { unsafe clinux_load_shared(number(1 + pane)) }

  package func setCopied(_ pane: Int, to count: UInt32) {
    unsafe clinux_store_shared(number(1 + pane), count)
  }

  /// Stores a new number of changes, and wakes all who wait for one.
  package func tell(changes: UInt32) {
    unsafe clinux_store_shared(number(0), changes)
    unsafe clinux_wake_shared(number(0))
  }

  /// Waits while the number of changes is this one; may return early.
  package func waitForChange(after changes: UInt32) { unsafe clinux_wait_shared(number(0), changes) }

  private func number(_ index: Int) -> UnsafeMutablePointer<UInt32> {
    precondition(index >= 0 && index <= panes)
    return unsafe base.assumingMemoryBound(to: UInt32.self) + index
  }
}
