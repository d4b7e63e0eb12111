// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Dispatch
import Synchronization
import Testing

@testable import MemArchiveCommand

struct JobQueueTests {
  /// What two jobs have in common.
  private final class Shared: Sendable {
    let hasBegun = DispatchSemaphore(value: 0)
    let isNearlyFull = DispatchSemaphore(value: 0)
    let size = Atomic<Int>(0)
  }

  @Test func `Jobs are done at once, and what one has to say before its turn is bounded`() throws {
    let (line, most) = ([UInt8](repeating: 0, count: 10_000), 2 << 20)
    let queue = JobQueue(2, limit: 2)
    let shared = Shared()
    let threads = DispatchGroup()
    for _ in 0..<2 {
      DispatchQueue(label: "job").async(group: threads) {
        queue.work(waits: { _ in false }) { index in
          if index == 0 {
            shared.hasBegun.signal()
            shared.isNearlyFull.wait()
            return .limit
          }
          shared.hasBegun.wait()
          while true {
            if shared.size.load(ordering: .relaxed) > most - 2 * line.count { shared.isNearlyFull.signal() }
            try Output.write(line)
            shared.size.add(line.count, ordering: .relaxed)
          }
        }
      }
    }
    #expect(try queue.show(0) == .limit)
    // The other job is blocked, or soon will be, and fails.
    queue.end()
    threads.wait()
    let size = shared.size.load(ordering: .relaxed)
    #expect(size <= most && size > most - 3 * line.count)
  }
}
#endif
