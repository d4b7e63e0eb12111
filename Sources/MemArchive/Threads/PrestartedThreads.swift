internal import Synchronization

/// Threads started in advance, to be borrowed in a process that may no longer start any.
final class PrestartedThreads: Sendable {
  private static let supply = Mutex<PrestartedThreads?>(nil)
  /// Non-nil if threads have to be borrowed.
  static var current: PrestartedThreads? { supply.withLock { $0 } }

  private let free: Mutex<[Slot]>

  private init(_ slots: [Slot]) { free = Mutex(slots) }

  /// Starts `count` threads, waits until each of them runs, and lends them from now on.
  static func fill(_ count: Int) throws(ArchiveError) {
    var slots: [Slot] = []
    for _ in 0..<count {
      let slot = Slot()
      try JoinableThread.start { slot.run() }.detach()
      slots.append(slot)
    }
    for slot in slots { slot.waitForReport() }
    let filled = PrestartedThreads(slots)
    supply.withLock { $0 = filled }
  }

  /// A thread that runs `body`; nil if none is free.
  func borrow(_ body: @escaping @Sendable () -> Void) -> Slot? {
    guard let slot = free.withLock({ $0.popLast() }) else { return nil }
    slot.take(body)
    return slot
  }

  fileprivate func giveBack(_ slot: Slot) { free.withLock { $0.append(slot) } }

  /// One thread, which waits for work.
  final class Slot: @unchecked Sendable {
    private let monitor = ConditionLock()
    // Both guarded by the monitor.
    private var hasReported = false
    private var body: (@Sendable () -> Void)?

    fileprivate init() {}

    fileprivate func take(_ body: @escaping @Sendable () -> Void) {
      monitor.locked {
        self.body = body
        monitor.notifyAll()
      }
    }

    /// Waits until its work is done.
    func join() {
      monitor.locked { while body != nil { monitor.wait() } }
      PrestartedThreads.current?.giveBack(self)
    }

    fileprivate func waitForReport() { monitor.locked { while !hasReported { monitor.wait() } } }

    fileprivate func run() {
      monitor.locked {
        hasReported = true
        monitor.notifyAll()
      }
      while true {
        let body = monitor.locked {
          while self.body == nil { monitor.wait() }
          return self.body
        }
        body?()
        monitor.locked {
          self.body = nil
          monitor.notifyAll()
        }
      }
    }
  }
}
