// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CLinux
import Foundation
import Glibc
import SealedMemory
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// What extractions at the same time share.
@Suite(.slow) struct PoolTests {
  private static func archive(_ number: Int) -> Bytes {
    Tar.archive(Tar.entry("a", Bytes(repeating: UInt8(number & 0xFF), count: 2000)))
  }

  @Test(.timeLimit(.minutes(10)), arguments: [false, true])
  func `Two hundred extractions at once have few threads, processes and descriptors`(_ isSandboxed: Bool)
    async
  {
    await #expect(processExitsWith: .success) { [isSandboxed] in
      let options = ExtractionOptions {
        $0.sandbox = isSandboxed ? .required : .off
        $0.pool = ExtractionPool(extractions: 3)
      }
      let isDone = Atomic<Bool>(false)
      let most = Mutex((threads: 0, descriptors: 0, workers: 0))
      let watcher = Thread {
        while !isDone.load(ordering: .relaxed) {
          let threads = clinux_thread_count()
          let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
          let workers = Family.workers(named: "worker").count
          most.withLock { most in
            most = (
              max(most.threads, threads), max(most.descriptors, open), max(most.workers, workers)
            )
          }
        }
      }
      watcher.start()
      let sum = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<200 {
          group.addTask {
            let files = try await ArchiveReader(bytes: PoolTests.archive(number)).extract(options: options)
            return Int(try files["a"]!.content[1999])
          }
        }
        return try await group.reduce(0, +)
      }
      isDone.store(true, ordering: .relaxed)
      guard sum == (0..<200).reduce(0, +) else { exit(1) }
      let (threads, descriptors, workers) = most.withLock { $0 }
      print("\(threads) threads, \(descriptors) descriptors, \(workers) workers")
      // Swift's own, the watcher, and those of three extractions. A worker that ends is seen beside its successor.
      guard threads <= 16, descriptors <= 200, workers <= 8 else { exit(2) }
      guard !isSandboxed || workers > 0 else { exit(3) }
      exit(0)
    }
  }

  private final class Order: Sendable { let numbers = Mutex<[Int]>([]) }

  /// A pipe that gives nothing occupies the only turn.
  private static func occupied(_ pool: ExtractionPool) async throws -> (Task<Void, any Error>, FileDescriptor)
  {
    let (reading, writing) = try FileDescriptor.pipe()
    let task = Task {
      defer { try? reading.close() }
      _ = try await ArchiveReader(descriptor: reading).extract(options: ExtractionOptions { $0.pool = pool })
    }
    while pool.running == 0 { await Task.yield() }
    return (task, writing)
  }

  @Test(.timeLimit(.minutes(10)))
  func `Whoever waits longest is next, and whoever is cancelled leaves the row`()
    async throws
  {
    let pool = ExtractionPool(extractions: 1)
    let (first, writing) = try await Self.occupied(pool)
    let order = Order()
    var tasks: [Task<Void, any Error>] = []
    for number in 0..<5 {
      tasks.append(
        Task {
          let options = ExtractionOptions {
            $0.pool = pool
            // Begins with its turn.
            $0.timeout = .seconds(30)
          }
          _ = try await ArchiveReader(bytes: Self.archive(number)).extract(options: options)
          order.numbers.withLock { $0.append(number) }
        })
      while pool.waiting != number + 1 { await Task.yield() }
    }
    tasks[2].cancel()
    let error = await #expect(throws: ArchiveError.self) { try await tasks[2].value }
    #expect(error?.code == .cancelled)
    #expect(order.numbers.withLock { $0 }.isEmpty)
    #expect(pool.waiting == 4)
    try writing.close()
    _ = await first.result
    for task in tasks { _ = await task.result }
    #expect(order.numbers.withLock { $0 } == [0, 1, 3, 4])
    // The last thread lets go of its extraction a moment after it has given the result.
    while pool.running != 0 { await Task.yield() }
  }

  @Test(.timeLimit(.minutes(10))) func `A task that is cancelled already takes no turn`() async throws {
    let pool = ExtractionPool(extractions: 1)
    for _ in 0..<3 {
      let task = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await ArchiveReader(bytes: Self.archive(1)).extract(
          options: ExtractionOptions { $0.pool = pool })
      }
      let error = await #expect(throws: ArchiveError.self) { try await task.value.count == 0 }
      #expect(error?.code == .cancelled)
    }
    let files = try await ArchiveReader(bytes: Self.archive(1)).extract(
      options: ExtractionOptions { $0.pool = pool })
    #expect(files.count == 1)
  }

  @Test func `A synchronous extraction never waits`() async throws {
    let pool = ExtractionPool(extractions: 1)
    let (first, writing) = try await Self.occupied(pool)
    let options = ExtractionOptions { $0.pool = pool }
    func read() throws -> Int { try ArchiveReader(bytes: Self.archive(1)).extract(options: options).count }
    #expect(try read() == 1)
    try writing.close()
    _ = await first.result
  }

  @Test func `Extractions share the processors`() {
    let pool = ExtractionPool()
    let options = ExtractionOptions { $0.pool = pool }
    let all = SystemCalls.processorCount()
    let first = ExtractionContext(options)
    #expect(first.threads == all)
    do {
      let second = ExtractionContext(options)
      #expect(second.threads == max(1, all / 2))
      #expect(second.changed { $0.storage = .packed }.threads == second.threads)
      #expect(pool.running == 2)
    }
    #expect(pool.running == 1)
    #expect(ExtractionContext(ExtractionOptions { ($0.pool, $0.parallelism) = (pool, 7) }).threads == 7)
    withExtendedLifetime(first) {}
  }

  @Test func `Extractions share memory until they end`() throws {
    let pool = ExtractionPool(heldBytes: 40 << 20)
    func context() -> ExtractionContext { ExtractionContext(ExtractionOptions { $0.pool = pool }) }
    let kept: Charge
    do {
      let first = context()
      var charge = Charge(first.ledger, entry: "a")
      try charge.grow(to: 30 << 20)
      let second = context()
      var more = Charge(second.ledger, entry: "b")
      try more.grow(to: 8 << 20)
      let error = #expect(throws: ArchiveError.self) { try more.grow(to: 11 << 20) }
      #expect(error?.code == .limitExceeded)
      #expect(error?.reason.contains("other extractions") == true)
      // Nothing was counted for it.
      try more.grow(to: 10 << 20)
      kept = charge
    }
    // What the first still holds is the system's business.
    var charge = Charge(context().ledger, entry: "c")
    try charge.grow(to: 40 << 20)
    _ = consume kept
  }

  @Test func `Limits of one's own are nobody else's`() throws {
    let pool = ExtractionPool(heldBytes: 1 << 20)
    let limits = ExtractionLimits(heldBytes: 100 << 20)
    var charge = Charge(
      ExtractionContext(ExtractionOptions { ($0.pool, $0.limits) = (pool, limits) }).ledger, entry: "a")
    try charge.grow(to: 90 << 20)
  }
}
#endif
