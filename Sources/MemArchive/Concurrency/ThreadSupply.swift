internal import Synchronization

/// Threads that were started beforehand, for a process that may start none any more: who wants a thread borrows one.
final class ThreadSupply: Sendable {
  private static let supply = Mutex<ThreadSupply?>(nil)
  /// Whether threads have to be borrowed.
  static var current: ThreadSupply? { supply.withLock { $0 } }

  private let free: Mutex<[Seat]>

  private init(_ seats: [Seat]) { free = Mutex(seats) }

  /// Starts so many threads, hears from each of them, and lends them from now on.
  static func fill(_ count: Int) throws(ArchiveError) {
    var seats: [Seat] = []
    for _ in 0..<count {
      let seat = Seat()
      try WorkerThread.start { seat.run() }.detach()
      seats.append(seat)
    }
    for seat in seats { seat.waitForReport() }
    let filled = ThreadSupply(seats)
    supply.withLock { $0 = filled }
  }

  /// A thread that runs `body`; nil where none is free.
  func borrow(_ body: @escaping @Sendable () -> Void) -> Seat? {
    guard let seat = free.withLock({ $0.popLast() }) else { return nil }
    seat.take(body)
    return seat
  }

  fileprivate func giveBack(_ seat: Seat) { free.withLock { $0.append(seat) } }

  /// One thread, which waits for something to do.
  final class Seat: @unchecked Sendable {
    private let monitor = Monitor()
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

    /// Waits until what it does is done.
    func join() {
      monitor.locked { while body != nil { monitor.wait() } }
      ThreadSupply.current?.giveBack(self)
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
