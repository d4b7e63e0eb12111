#if FastDecoders
internal import CLZMA

/// Blocks that threads decode each for itself, and that are given out in their order. Used by one thread, which reads the
/// stream that they are of.
final class XZBlockQueue {
  private let threads: Int
  private let desk = XZBlockDesk()
  private var jobs: [XZBlockJob] = []
  private var cost = 0
  private var group = ThreadGroup()
  private var started = 0

  /// What all blocks may take together, in bytes; one that takes more by itself is not for the queue.
  private static let mostMemory = 256 << 20

  init(threads: Int) { self.threads = threads }

  deinit {
    desk.end()
    group.join()
  }

  var isEmpty: Bool { jobs.isEmpty }

  enum Admission { case taken, later, never }

  /// Takes a block; `later` where there is no room now, `never` where whoever reads has to decode it.
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

  /// One more thread for one more block, until there are enough; false where none can be had at all.
  private func startThread() -> Bool {
    guard started < min(threads, jobs.count + 1) else { return true }
    if (try? group.start { [desk] in desk.decodeAll() }) != nil { started += 1 }
    return started > 0
  }

  /// How many bytes the last block has still to be given.
  var missing: Int { jobs.last?.missing ?? 0 }

  /// Gives the last block its next bytes; none where no more follow.
  func feed(_ bytes: RawSpan) {
    if let job = jobs.last { desk.feed(job, bytes) }
  }

  enum Output {
    case bytes(Int)
    case nothingYet
    /// The first block was given out, all of it, and is gone.
    case ended(XZBlock)
    case failed(lzma_ret)
  }

  /// Gives out what there is of the first block.
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

/// One block with room for all of it; room costs nothing before something is put there.
@safe private final class XZBlockJob: @unchecked Sendable {
  let block: XZBlock
  let cost: Int
  let packed: UnsafeMutableRawBufferPointer
  let content: UnsafeMutableRawBufferPointer
  // Guarded by the desk's monitor; `received` is written by who reads the stream alone, which may look at it without.
  fileprivate(set) var received = 0
  fileprivate(set) var isAllReceived = false
  fileprivate(set) var produced = 0
  fileprivate(set) var status: lzma_ret?
  // Who reads the stream has this to itself.
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

/// What the thread that reads and those that decode share.
private final class XZBlockDesk: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var waiting: [XZBlockJob] = []
  private var isEnded = false

  /// What a thread decodes before it says so, in bytes.
  private static let step = 256 << 10

  /// Lets the threads end.
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

  /// Decodes one block after another until nobody wants any.
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
      // liblzma calls it an error when it is given nothing to do twice; before the end it is none.
      let isIdle = step.status == LZMA_BUF_ERROR && !isAll
      needsInput = isIdle || step.produced < room
      let goesOn = isIdle || step.status == LZMA_OK
      monitor.locked {
        job.produced = produced
        if !goesOn { job.status = step.status }
        monitor.notifyAll()
      }
      if !goesOn { return }
    }
  }

  /// How much of the packed bytes is there, more than `count` where that is given and more are to come; nil where nobody
  /// wants the block any more.
  private func input(of job: XZBlockJob, after count: Int?) -> (received: Int, isAll: Bool)? {
    monitor.locked {
      while !isEnded, let count, job.received <= count, !job.isAllReceived { monitor.wait() }
      return isEnded ? nil : (job.received, job.isAllReceived)
    }
  }
}
#endif
