internal import CLinux
internal import Libc
internal import Synchronization
internal import SystemPackage

/// A memory file mapped for writing in huge folios, which are prepared step by step as real bytes arrive.
///
/// A 4 KiB page of a memory file takes 1.7 µs to allocate, charge and insert, whether it is mapped or written.
/// MADV_COLLAPSE (Linux 6.1) gives the file 2 MiB folios whatever shmem_enabled says, at a seventh of that price per byte. It
/// requires that one page of the step exists, and an address aligned like the folio.
@safe package struct FolioMapping: ~Copyable {
  /// The size of a folio in bytes: the reach of a page middle directory with 4 KiB pages.
  package static let step = 2 << 20
  private let base: UnsafeMutableRawPointer
  private let mappedCount: Int
  private let size: Int
  /// The end of the part of the file that is in huge folios, from its beginning.
  private(set) var prepared = 0
  private var isRefused = false

  /// Maps `descriptor`, whose file has its full `size` already: one that is truncated afterwards loses its folios.
  ///
  /// - Returns: nil while huge folios are expensive.
  static func create(_ descriptor: FileDescriptor, size: Int) throws(Errno) -> Self? {
    guard FolioSupply.isGood else { return nil }
    let count = (size + step - 1) / step * step
    // Reserves more address space than needed and cuts an aligned part out of it.
    let reserved = unsafe mmap(
      nil, count + step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let reserved = unsafe reserved, unsafe reserved != MAP_FAILED else { throw SystemCalls.lastError }
    let aligned = unsafe reserved.alignedUp(toMultipleOf: step)
    let before = unsafe aligned - reserved
    if before > 0 { unsafe _ = munmap(reserved, before) }
    if before < step { unsafe _ = munmap(aligned + count, step - before) }
    let mapped = unsafe mmap(
      aligned, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor.rawValue, 0)
    guard unsafe mapped != MAP_FAILED else {
      let error = SystemCalls.lastError
      unsafe _ = munmap(aligned, count)
      throw error
    }
    unsafe SystemCalls.keepFromForks(aligned, count)
    return unsafe Self(base: aligned, mappedCount: count, size: size)
  }

  private init(base: UnsafeMutableRawPointer, mappedCount: Int, size: Int) {
    unsafe self.base = base
    self.mappedCount = mappedCount
    self.size = size
  }

  deinit { unsafe _ = munmap(base, mappedCount) }

  /// Copies as much of the front of `block` as falls into huge folios and returns the number of bytes copied; the rest is to
  /// be written (pwrite(2)).
  ///
  /// - Parameter contentEnd: The end of the content so far. Content before it was written (pwrite(2)), and a step that it
  ///   reaches into is collapsed as it is.
  mutating func copy(_ block: RawSpan, to offset: Int, contentEnd: Int = 0) -> Int {
    // The block comes after a hole, which is to stay one.
    guard offset <= max(prepared, (contentEnd + 7) & -8) else {
      isRefused = true
      return 0
    }
    while prepared < offset + block.byteCount, !isRefused { prepareStep(isEmpty: prepared >= contentEnd) }
    guard offset < prepared else { return 0 }
    // The last folio may reach past the end of the file, where bytes would be lost.
    let count = min(block.byteCount, min(prepared, size) - offset)
    guard count > 0 else { return 0 }
    unsafe block.withUnsafeBytes { source in
      guard let start = source.baseAddress else { return }
      unsafe base.advanced(by: offset).copyMemory(from: start, byteCount: count)
    }
    return count
  }

  /// The memory of the file from `offset` on, in huge folios, to be filled; empty where it is to be written (pwrite(2)). All
  /// content before it has been copied or written.
  mutating func memory(from offset: Int) -> UnsafeMutableRawBufferPointer {
    while prepared <= offset, !isRefused { prepareStep(isEmpty: prepared == offset) }
    let count = min(prepared, size) - offset
    return unsafe UnsafeMutableRawBufferPointer(start: base + min(offset, size), count: max(0, count))
  }

  /// - Parameter isEmpty: Whether nothing has been written to the step.
  private mutating func prepareStep(isEmpty: Bool) {
    // The last folio may reach past the end of the file, but not by more than an eighth of the file.
    guard prepared < size, (prepared + Self.step - size) * 8 <= size else {
      isRefused = true
      return
    }
    let start = SystemCalls.threadTime()
    if isEmpty { unsafe base.storeBytes(of: 0, toByteOffset: prepared, as: UInt8.self) }
    // An older kernel, no free huge page, a policy against them: small pages will do.
    guard unsafe madvise(base + prepared, Self.step, CInt(CLINUX_MADV_COLLAPSE)) == 0 else {
      isRefused = true
      return
    }
    prepared = min(prepared + Self.step, mappedCount)
    isRefused = !FolioSupply.isStillGood(after: SystemCalls.threadTime() - start)
  }
}

/// Whether huge folios have been cheap lately, for all extractions of the process.
///
/// A step takes 0.1 ms where memory is at hand. It took 8 ms, and pwrite(2) 0.9 ms for as many bytes, in a virtual machine
/// that returns its free memory to the host (free page reporting) in blocks of this size; compacting fragmented memory may
/// cost the kernel as much. Two expensive steps in a row are no accident.
private enum FolioSupply {
  private struct State {
    var expensiveSteps = 0
    var expensiveUntil: ContinuousClock.Instant?
  }

  private static let state = Mutex(State())

  static var isGood: Bool { state.withLock { $0.expensiveUntil.map { $0 < .now } ?? true } }

  /// Takes note of how long one step took; false while small pages are the better choice.
  static func isStillGood(after duration: Duration) -> Bool {
    state.withLock { state in
      state.expensiveSteps = duration > .milliseconds(1) ? state.expensiveSteps + 1 : 0
      guard state.expensiveSteps >= 2 else { return true }
      state.expensiveSteps = 0
      state.expensiveUntil = .now + .milliseconds(250)
      return false
    }
  }
}
