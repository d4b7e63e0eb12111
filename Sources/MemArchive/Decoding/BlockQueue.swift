/// A part of a compressed stream that can be decoded without what comes before it.
protocol IndependentBlock: AnyObject, Sendable {
  /// Bytes of memory that decoding takes besides packed bytes and content.
  var memory: Int { get }
  /// - Parameter isAll: Whether nothing follows `packed`.
  func decode(
    _ packed: UnsafeRawBufferPointer, isAll: Bool, into output: UnsafeMutableRawBufferPointer
  ) -> BlockStep
}

/// The result of one decoding step.
struct BlockStep {
  enum Status {
    case goesOn
    /// The decoder needs more input.
    case starved
    /// The block has ended, and its checksum has been verified.
    case ended
    case failed(ArchiveError)
  }

  let used: Int
  let produced: Int
  let status: Status
}

/// Blocks that are decoded by several threads and returned in order. Used by one thread, which reads their stream.
final class BlockQueue<Block: IndependentBlock> {
  private let threads: Int
  private let mostJobs: Int
  private let desk = BlockDesk<Block>()
  private var jobs: [BlockJob<Block>] = []
  private var cost = 0
  /// Memory of blocks that have ended, for those that want as much: the kernel has given its pages already.
  private var spare: [BlockMemory] = []
  private var group = ThreadGroup()
  private var started = 0

  /// Upper bound of the memory of all blocks together, in bytes; a block that needs more is not queued.
  private static var mostMemory: Int { 256 << 20 }

  /// - Parameter ahead: The number of blocks that are queued for each thread; small ones need more.
  init(threads: Int, ahead: Int = 2) {
    self.threads = threads
    mostJobs = ahead * threads
  }

  deinit {
    desk.end()
    group.join()
  }

  var isEmpty: Bool { jobs.isEmpty }
  /// The block whose content is returned next.
  var first: Block? { jobs.first?.block }
  var last: Block? { jobs.last?.block }

  enum Admission { case taken, later, never }

  /// What would become of a block that takes this much memory in all, if there is a thread for it.
  func admission(of bytes: Int) -> Admission {
    guard threads > 1, bytes <= Self.mostMemory else { return .never }
    return jobs.count < mostJobs && bytes <= Self.mostMemory - cost ? .taken : .later
  }

  /// Queues a block; `later` if there is no room now, `never` if the reading thread has to decode it.
  ///
  /// - Parameters:
  ///   - packed: The number of bytes that `feed` will give.
  ///   - room: The number of bytes of content that wait for being taken; with more to come, its thread waits.
  func take(_ block: Block, packed: Int, room: Int) -> Admission {
    let bytes = [room, packed, block.memory].reduce(0) { min($0, .max - $1) + $1 }
    let admission = admission(of: bytes)
    guard admission == .taken else { return admission }
    guard startThread() else { return .never }
    if unsafe spare.last?.bytes.count != room { spare = [] }
    let job = BlockJob(block, packed: packed, content: spare.popLast() ?? BlockMemory(room), cost: bytes)
    cost += bytes
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
    case ended(Block)
    case failed(ArchiveError)
  }

  /// Returns available content of the first block.
  func takeFirst(into buffer: inout MutableRawSpan) -> Output {
    guard let job = jobs.first else { return .nothingYet }
    let (produced, status) = desk.state(of: job)
    let count = job.take(upTo: produced, into: &buffer)
    if job.isTakenWhole { desk.reuse(job) }
    if count > 0 { return .bytes(count) }
    switch status {
    case .goesOn, .starved: return .nothingYet
    case .ended:
      jobs.removeFirst()
      cost -= job.cost
      spare.append(job.memory)
      return .ended(job.block)
    case .failed(let error): return .failed(error)
    }
  }

  /// Waits until there is more of the first block, or its end.
  func awaitFirst() {
    guard let job = jobs.first else { return }
    IdleHook.begin()
    desk.awaitNews(of: job)
  }

  /// Drops the first block.
  func removeFirst() {
    let job = jobs.removeFirst()
    cost -= job.cost
    desk.drop(job)
  }
}

/// Address space, which takes no memory until it is filled.
@safe private final class BlockMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ count: Int) { unsafe bytes = .allocate(byteCount: count, alignment: 16) }

  deinit { unsafe bytes.deallocate() }
}

/// One block with room for all of it.
@safe private final class BlockJob<Block: IndependentBlock>: @unchecked Sendable {
  let block: Block
  let cost: Int
  let packed: UnsafeMutableRawBufferPointer
  let memory: BlockMemory
  var content: UnsafeMutableRawBufferPointer { unsafe memory.bytes }
  // Guarded by the shared monitor; `received` is written only by the reading thread, which may read it without locking.
  fileprivate(set) var received = 0
  fileprivate(set) var isAllReceived: Bool
  fileprivate(set) var produced = 0
  fileprivate(set) var status = BlockStep.Status.goesOn
  fileprivate(set) var isDropped = false
  // Used only by the reading thread.
  fileprivate(set) var taken = 0

  init(_ block: Block, packed: Int, content: BlockMemory, cost: Int) {
    self.block = block
    self.cost = cost
    memory = content
    isAllReceived = packed == 0
    unsafe self.packed = .allocate(byteCount: packed, alignment: 16)
  }

  deinit {
    unsafe packed.deallocate()
  }

  var missing: Int { isAllReceived ? 0 : (unsafe packed.count) - received }
  /// Whether there is no room left, and all that fills it has been taken.
  var isTakenWhole: Bool { taken == (unsafe content.count) }

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
private final class BlockDesk<Block: IndependentBlock>: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var waiting: [BlockJob<Block>] = []
  private var isEnded = false

  /// The number of bytes that a thread decodes before it reports them.
  private static var step: Int { 256 << 10 }

  /// Makes the threads end.
  func end() {
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  func add(_ job: BlockJob<Block>) {
    monitor.locked {
      waiting.append(job)
      monitor.notifyAll()
    }
  }

  func drop(_ job: BlockJob<Block>) {
    monitor.locked {
      waiting.removeAll { $0 === job }
      job.isDropped = true
      monitor.notifyAll()
    }
  }

  func feed(_ job: BlockJob<Block>, _ bytes: RawSpan) {
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

  func state(of job: BlockJob<Block>) -> (produced: Int, status: BlockStep.Status) {
    monitor.locked { (job.produced, job.status) }
  }

  /// Makes room for more content; all of it has been taken.
  func reuse(_ job: BlockJob<Block>) {
    monitor.locked {
      (job.produced, job.taken) = (0, 0)
      monitor.notifyAll()
    }
  }

  func awaitNews(of job: BlockJob<Block>) {
    monitor.locked { while job.produced == job.taken, job.status.goesOn { monitor.wait() } }
  }

  /// Decodes one block after another until the queue ends.
  func decodeAll() {
    while let job = nextJob() { decode(job) }
  }

  private func nextJob() -> BlockJob<Block>? {
    monitor.locked {
      while !isEnded, waiting.isEmpty { monitor.wait() }
      return isEnded ? nil : waiting.removeFirst()
    }
  }

  private func decode(_ job: BlockJob<Block>) {
    var used = 0
    var needsInput = true
    while let given = input(of: job, after: needsInput ? used : nil) {
      let room = unsafe min(Self.step, job.content.count - given.produced)
      let step = unsafe job.block.decode(
        UnsafeRawBufferPointer(rebasing: job.packed[used..<given.received]), isAll: given.isAll,
        into: UnsafeMutableRawBufferPointer(
          rebasing: job.content[given.produced..<given.produced + room]))
      used += step.used
      needsInput = step.status.isStarved || step.produced < room
      monitor.locked {
        job.produced += step.produced
        job.status = step.status
        monitor.notifyAll()
      }
      if !step.status.goesOn { return }
    }
  }

  /// The number of packed bytes available, more than `count` if that is given and more will follow, and of bytes of content
  /// that have not been taken; nil if the block is no longer wanted.
  private func input(
    of job: BlockJob<Block>, after count: Int?
  ) -> (received: Int, isAll: Bool, produced: Int)? {
    monitor.locked {
      func isFull() -> Bool { unsafe job.produced == job.content.count }
      func lacksInput() -> Bool { count.map { job.received <= $0 && !job.isAllReceived } ?? false }
      while !isEnded, !job.isDropped, isFull() || lacksInput() { monitor.wait() }
      return isEnded || job.isDropped ? nil : (job.received, job.isAllReceived, job.produced)
    }
  }
}

extension BlockStep.Status {
  fileprivate var isStarved: Bool { if case .starved = self { true } else { false } }

  fileprivate var goesOn: Bool {
    switch self {
    case .goesOn, .starved: true
    case .ended, .failed: false
    }
  }
}
