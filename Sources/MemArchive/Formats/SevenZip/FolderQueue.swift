#if FastDecoders
/// Folders that other threads decode before they are asked for, each completely in memory. Used by one thread.
final class FolderQueue {
  private let threads: Int
  private let desk = FolderDesk()
  private var jobs: [DecodedFolder] = []
  private var memory: Int64 = 0
  private var group = ThreadGroup()
  private var started = 0

  /// Upper bound of the memory of all folders together, in bytes; a folder that needs more is not queued.
  private static let mostMemory: Int64 = 256 << 20

  init(threads: Int) { self.threads = threads }

  deinit {
    desk.end()
    group.join()
  }

  /// The index after the last queued folder's; nil if there is none.
  var end: Int? { jobs.last.map { $0.index + 1 } }

  /// Whether there is room for a folder that takes this much memory, its content included.
  func hasRoom(for more: Int64) -> Bool {
    threads > 1 && jobs.count < 4 * threads && more <= Self.mostMemory - memory
  }

  /// Queues a folder; false if there is no thread to decode it.
  func append(
    _ decoder: any ByteSource, _ index: Int, size: Int, memory more: Int64
  ) -> Bool {
    if started < min(threads, jobs.count + 1),
      (try? group.start { [desk] in desk.decodeAll() }) != nil
    {
      started += 1
    }
    guard started > 0 else { return false }
    let job = DecodedFolder(decoder, index, size: size, memory: more, desk)
    memory += more
    jobs.append(job)
    desk.add(job)
    return true
  }

  /// Removes a folder, and drops those before it; nil if it is not queued.
  func take(_ index: Int) -> (any ByteSource)? {
    while let job = jobs.first, job.index <= index {
      jobs.removeFirst()
      memory -= job.memory
      if job.index == index { return job }
      desk.drop(job)
    }
    return nil
  }
}

/// The content of one folder, as far as it is decoded. It has room for a byte too many, which is an error of the folder.
@safe private final class DecodedFolder: ByteSource, @unchecked Sendable {
  let index: Int
  let memory: Int64
  private let desk: FolderDesk
  /// Used only by the thread that decodes.
  fileprivate let decoder: any ByteSource
  fileprivate let content: UnsafeMutableRawBufferPointer
  /// How far the decoder is. Guarded by the desk.
  fileprivate var state = (produced: 0, isAtEnd: false, failure: ArchiveError?.none)
  fileprivate var isWanted = true
  /// Used only by the thread that reads.
  private var taken = 0

  init(_ decoder: any ByteSource, _ index: Int, size: Int, memory: Int64, _ desk: FolderDesk) {
    (self.decoder, self.index, self.memory, self.desk) = (decoder, index, memory, desk)
    unsafe content = .allocate(byteCount: size + 1, alignment: 4096)
  }

  deinit { unsafe content.deallocate() }

  var progress: SourceProgress { decoder.progress }

  func lend() throws(ArchiveError) -> UnsafeRawBufferPointer? {
    let (produced, failure) = desk.waitForMore(of: self, than: taken)
    if produced == taken, let failure { throw failure }
    defer { taken = produced }
    return unsafe UnsafeRawBufferPointer(rebasing: content[taken..<produced])
  }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int { 0 }
}

/// What the reading thread and the decoding ones share.
private final class FolderDesk: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Guarded by the monitor.
  private var waiting: [DecodedFolder] = []
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

  func add(_ job: DecodedFolder) {
    monitor.locked {
      waiting.append(job)
      monitor.notifyAll()
    }
  }

  func drop(_ job: DecodedFolder) {
    monitor.locked {
      job.isWanted = false
      waiting.removeAll { $0 === job }
    }
  }

  /// Waits until more than `count` bytes are decoded, or all.
  func waitForMore(of job: DecodedFolder, than count: Int) -> (produced: Int, failure: ArchiveError?) {
    if monitor.locked({ job.state.produced == count && !job.state.isAtEnd }) { IdleHook.begin() }
    return monitor.locked {
      while job.state.produced == count, !job.state.isAtEnd { monitor.wait() }
      return (job.state.produced, job.state.failure)
    }
  }

  /// Decodes one folder after another until the queue ends.
  func decodeAll() {
    while let job = nextJob() { decode(job) }
  }

  private func nextJob() -> DecodedFolder? {
    monitor.locked {
      while !isEnded, waiting.isEmpty { monitor.wait() }
      return isEnded ? nil : waiting.removeFirst()
    }
  }

  private func decode(_ job: DecodedFolder) {
    var state = job.state
    while !state.isAtEnd {
      let end = unsafe min(state.produced + Self.step, job.content.count)
      var bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: job.content[state.produced..<end])
        .mutableBytes
      do throws(ArchiveError) {
        let count = try job.decoder.read(into: &bytes)
        state.produced += count
        state.isAtEnd = unsafe count == 0 || state.produced == job.content.count
      } catch {
        (state.isAtEnd, state.failure) = (true, error)
      }
      let goesOn = monitor.locked {
        job.state = state
        monitor.notifyAll()
        return !isEnded && job.isWanted
      }
      guard goesOn else { return }
    }
  }
}
#endif
