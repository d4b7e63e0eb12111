/// Runs a source, a decoder mostly, on a thread of its own, a few blocks ahead of who reads from it.
final class ReadAheadSource: ByteSource {
  private let upstream: any ByteSource
  private let ring: BlockRing
  private let stop: Cancellation
  /// So much is read without a thread: most archives are no larger.
  private var directBytes = 256 << 10
  private var thread: JoinableThread?
  private var block: BlockRing.Block?
  private var taken = 0

  /// - Parameter stop: Ends a read of `upstream` that waits, for a pipe say.
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

  /// Whether there is a thread now; without one it goes as if there were no ring.
  private func startThread() -> Bool {
    if thread == nil, directBytes <= 0 {
      let ring = ring
      thread = try? JoinableThread.start { ring.run() }
    }
    return thread != nil
  }

  /// Goes to the next block when all of this one has been taken; what was lent of it is over.
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

/// A few blocks between the thread that fills them and the one that takes them, in their order.
private final class BlockRing: @unchecked Sendable {
  /// One block; belongs to the ring, or to whoever took it.
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

  // The thread's alone, once it runs.
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

  /// Fills blocks until the source ends or fails, or nobody wants any.
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

  /// The next block; nil at the end. What came before a failure is given first.
  func next() throws(ArchiveError) -> Block? {
    if monitor.locked({ full.isEmpty }) { IdleHook.begin() }
    let result: Result<Block?, ArchiveError> = monitor.locked {
      while full.isEmpty, !isAtEnd, failure == nil { monitor.wait() }
      if !full.isEmpty { return .success(full.removeFirst()) }
      return failure.map { .failure($0) } ?? .success(nil)
    }
    return try result.get()
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
