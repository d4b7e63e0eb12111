#if FastDecoders
internal import CLZMA

/// Blocks that are decoded by several threads and returned in order. Used by one thread, which reads their stream.
final class XZBlockQueue {
  private let threads: Int
  private let desk = XZBlockDesk()
  private var jobs: [XZBlockJob] = []
  private var cost = 0
  private var group = ThreadGroup()
  private var started = 0

  /// Upper bound of the memory of all blocks together, in bytes; a block that needs more is not queued.
  private static let mostMemory = 256 << 20

  init(threads: Int) { self.threads = threads }

  deinit {
    desk.end()
    group.join()
  }

  var isEmpty: Bool { jobs.isEmpty }

  enum Admission { case taken, later, never }

  /// Queues a block; `later` if there is no room now, `never` if the reading thread has to decode it.
  func take(_ block: XZBlock) -> Admission {
    guard threads > 1, let sizes = block.sizes, sizes.content >= 1 << 20 else { return .never }
    let (size, overflow) = sizes.content.addingReportingOverflow(sizes.packed)
    guard !overflow, size <= Self.mostMemory - min(block.memory, Self.mostMemory) else { return .never }
    let more = size + block.memory
    guard jobs.count < 2 * threads, cost <= Self.mostMemory - more else { return .later }
    guard startThread() else { return .never }
    let job = XZBlockJob(block, sizes, cost: more)
    cost += more
    jobs.append(job)
    desk.add(job)
    return .taken
  }

  /// Starts another thread for another block, up to the maximum; false if there is no thread at all.
  private func startThread() -> Bool {
    guard started < min(threads, jobs.count + 1) else { return true }
    if (try? group.start { [desk] in desk.decodeAll() }) != nil { started += 1 }
    return started > 0
  }

  /// The number of bytes that the last block still needs.
  var missing: Int { jobs.last?.missing ?? 0 }

  /// Gives the last block its next bytes; none if no more follow.
  func feed(_ bytes: RawSpan) {
    if let job = jobs.last { desk.feed(job, bytes) }
  }

  enum Output {
    case bytes(Int)
    case nothingYet
    /// The first block was returned completely, and removed.
    case ended(XZBlock)
    case failed(lzma_ret)
  }

  /// Returns available content of the first block.
  func takeFirst(into buffer: inout MutableRawSpan) -> Output {
    guard let job = jobs.first else { return .nothingYet }
    let (produced, status) = desk.state(of: job)
    let count = job.take(upTo: produced, into: &buffer)
    if count > 0 { return .bytes(count) }
    switch status {
    case nil: return .nothingYet
    case LZMA_STREAM_END?:
      jobs.removeFirst()
      cost -= job.cost
      return .ended(job.block)
    case let status?: return .failed(status)
    }
  }

  /// Waits until there is more of the first block, or its end.
  func awaitFirst() {
    if let job = jobs.first { desk.awaitNews(of: job) }
  }
}

/// One block with address space for all of it, which takes no memory until it is filled.
@safe private final class XZBlockJob: @unchecked Sendable {
  let block: XZBlock
  let cost: Int
  let packed: UnsafeMutableRawBufferPointer
  let content: UnsafeMutableRawBufferPointer
  // Guarded by the shared monitor; `received` is written only by the reading thread, which may read it without locking.
  fileprivate(set) var received = 0
  fileprivate(set) var isAllReceived = false
  fileprivate(set) var produced = 0
  fileprivate(set) var status: lzma_ret?
  // Used only by the reading thread.
  private(set) var taken = 0

  init(_ block: XZBlock, _ sizes: (content: Int, packed: Int), cost: Int) {
    self.block = block
    self.cost = cost
    unsafe packed = .allocate(byteCount: sizes.packed, alignment: 16)
    unsafe content = .allocate(byteCount: sizes.content, alignment: 16)
  }

  deinit {
    unsafe packed.deallocate()
    unsafe content.deallocate()
  }

  var missing: Int { isAllReceived ? 0 : (unsafe packed.count) - received }

  func take(upTo produced: Int, into buffer: inout MutableRawSpan) -> Int {
    let count = min(produced - taken, buffer.byteCount)
    if count > 0 {
      unsafe buffer.copy(UnsafeRawBufferPointer(rebasing: content[taken..<taken + count]).bytes)
      taken += count
    }
    return count
  }
}

/// State shared by the reading thread and the decoding threads.
private final class XZBlockDesk: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var waiting: [XZBlockJob] = []
  private var isEnded = false

  /// The number of bytes that a thread decodes before it reports them.
  private static let step = 256 << 10

  /// Makes the threads end.
  func end() {
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  func add(_ job: XZBlockJob) {
    monitor.locked {
      waiting.append(job)
      monitor.notifyAll()
    }
  }

  func feed(_ job: XZBlockJob, _ bytes: RawSpan) {
    let count = bytes.byteCount
    unsafe bytes.withUnsafeBytes { bytes in
      unsafe UnsafeMutableRawBufferPointer(rebasing: job.packed[job.received...]).copyMemory(from: bytes)
    }
    monitor.locked {
      job.received += count
      job.isAllReceived = count == 0 || job.received == (unsafe job.packed.count)
      monitor.notifyAll()
    }
  }

  func state(of job: XZBlockJob) -> (produced: Int, status: lzma_ret?) {
    monitor.locked { (job.produced, job.status) }
  }

  func awaitNews(of job: XZBlockJob) {
    monitor.locked { while job.produced == job.taken, job.status == nil { monitor.wait() } }
  }

  /// Decodes one block after another until the queue ends.
  func decodeAll() {
    while let job = nextJob() { decode(job) }
  }

  private func nextJob() -> XZBlockJob? {
    monitor.locked {
      while !isEnded, waiting.isEmpty { monitor.wait() }
      return isEnded ? nil : waiting.removeFirst()
    }
  }

  private func decode(_ job: XZBlockJob) {
    var (used, produced) = (0, 0)
    var needsInput = true
    while let (received, isAll) = input(of: job, after: needsInput ? used : nil) {
      let room = min(Self.step, (unsafe job.content.count) - produced)
      let step = unsafe job.block.decode(
        UnsafeRawBufferPointer(rebasing: job.packed[used..<received]), isAll: isAll,
        into: UnsafeMutableRawBufferPointer(rebasing: job.content[produced..<produced + room]))
      used += step.used
      produced += step.produced
      // liblzma reports an error if it is twice given nothing to do, which is not an error before the end.
      let isIdle = step.status == LZMA_BUF_ERROR && !isAll
      needsInput = isIdle || step.produced < room
      let continues = isIdle || step.status == LZMA_OK
      monitor.locked {
        job.produced = produced
        if !continues { job.status = step.status }
        monitor.notifyAll()
      }
      if !continues { return }
    }
  }

  /// The number of packed bytes available, more than `count` if that is given and more will follow; nil if the block is no
  /// longer wanted.
  private func input(of job: XZBlockJob, after count: Int?) -> (received: Int, isAll: Bool)? {
    monitor.locked {
      while !isEnded, let count, job.received <= count, !job.isAllReceived { monitor.wait() }
      return isEnded ? nil : (job.received, job.isAllReceived)
    }
  }
}
#endif
