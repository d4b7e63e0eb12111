/// Runs a source, usually a decoder, on a thread of its own, a few blocks ahead of its reader.
final class ReadAheadSource: ByteSource {
  private let upstream: any ByteSource
  private let ring: BlockRing
  private let stop: Cancellation
  /// The number of bytes read without a thread: most archives are no larger.
  private var directBytes = 256 << 10
  private var thread: JoinableThread?
  private var block: BlockRing.Block?
  private var taken = 0

  /// - Parameter stop: Ends a read of `upstream` that waits, such as for a pipe.
  init(_ upstream: any ByteSource, stop: Cancellation) {
    self.upstream = upstream
    self.stop = stop
    ring = BlockRing(upstream)
  }

  deinit {
    stop.cancel()
    ring.end()
    thread.take()?.join()
  }

  var progress: SourceProgress { thread == nil ? upstream.progress : ring.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard startThread() else {
      let count = try upstream.read(into: &buffer)
      directBytes -= count
      return count
    }
    try advance()
    guard let block else { return 0 }
    let count = min(buffer.byteCount, block.count - taken)
    unsafe buffer.copy(block[taken..<taken + count].bytes)
    taken += count
    return count
  }

  func lend() throws(ArchiveError) -> UnsafeRawBufferPointer? {
    guard startThread() else { return nil }
    try advance()
    guard let block else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    defer { taken = block.count }
    return unsafe block[taken..<block.count]
  }

  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool {
    guard thread != nil else { return try upstream.waitForInput(milliseconds: milliseconds) }
    if let block, taken < block.count { return true }
    return ring.waitForNext(milliseconds: milliseconds)
  }

  /// Whether a thread is running; without one, reads go directly to the source.
  private func startThread() -> Bool {
    if thread == nil, directBytes <= 0 {
      let ring = ring
      thread = try? JoinableThread.start { ring.run() }
    }
    return thread != nil
  }

  /// Advances to the next block when all of this one has been read; lent bytes become invalid.
  private func advance() throws(ArchiveError) {
    if let block {
      guard taken == block.count else { return }
      ring.giveBack(block)
      self.block = nil
    }
    block = try ring.next()
    taken = 0
  }
}

/// A few blocks in order, between the thread that fills them and the one that reads them.
private final class BlockRing: @unchecked Sendable {
  /// One block, owned by the ring or by the thread that took it.
  @safe final class Block {
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    var count = 0

    deinit { unsafe bytes.deallocate() }

    func fill(from source: any ByteSource) throws(ArchiveError) {
      var span = unsafe bytes.mutableBytes
      count = try source.read(into: &span)
    }

    subscript(_ range: Range<Int>) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
    }
  }

  private static let blockCount = 4

  // Used only by the thread once it runs.
  private let upstream: any ByteSource
  private let monitor = ConditionLock()
  // All guarded by the monitor.
  private var free: [Block] = []
  private var made = 0
  private var full: [Block] = []
  private var lastProgress: SourceProgress
  private var isAtEnd = false
  private var failure: ArchiveError?
  private var isEnded = false

  init(_ upstream: any ByteSource) {
    self.upstream = upstream
    lastProgress = upstream.progress
  }

  var progress: SourceProgress { monitor.locked { lastProgress } }

  /// Fills blocks until the source ends or fails, or the reader stops.
  func run() {
    while let block = nextFree() {
      do throws(ArchiveError) {
        try block.fill(from: upstream)
        put(block, nil)
        if block.count == 0 { return }
      } catch {
        return put(nil, error)
      }
    }
  }

  /// The next block; nil at the end. Blocks that precede a failure are returned first.
  func next() throws(ArchiveError) -> Block? {
    if monitor.locked({ full.isEmpty }) { IdleHook.begin() }
    let result: Result<Block?, ArchiveError> = monitor.locked {
      while full.isEmpty, !isAtEnd, failure == nil { monitor.wait() }
      if !full.isEmpty { return .success(full.removeFirst()) }
      return failure.map { .failure($0) } ?? .success(nil)
    }
    return try result.get()
  }

  /// Whether `next` would return at once, within this time at most.
  func waitForNext(milliseconds: Int32) -> Bool {
    func isReady() -> Bool { !full.isEmpty || isAtEnd || failure != nil }
    if monitor.locked(isReady) { return true }
    IdleHook.begin()
    return monitor.locked {
      if !isReady() { monitor.wait(milliseconds: milliseconds) }
      return isReady()
    }
  }

  func giveBack(_ block: Block) {
    monitor.locked {
      free.append(block)
      monitor.notifyAll()
    }
  }

  /// Lets the thread end.
  func end() {
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  private func nextFree() -> Block? {
    monitor.locked {
      while !isEnded {
        if let block = free.popLast() { return block }
        if made < Self.blockCount {
          made += 1
          return Block()
        }
        monitor.wait()
      }
      return nil
    }
  }

  private func put(_ block: Block?, _ failure: ArchiveError?) {
    let progress = upstream.progress
    monitor.locked {
      if let block, block.count > 0 { full.append(block) } else { isAtEnd = true }
      self.failure = failure
      lastProgress = progress
      monitor.notifyAll()
    }
  }
}
