import Glibc
import Synchronization

/// Looks at some numbers a thousand times a second, on a thread of its own.
final class Watcher: Sendable {
  private let numbers: [@Sendable () -> Int]
  private let isStopped = Atomic(false)
  private let state: Mutex<(thread: pthread_t?, most: [Int])>

  init(_ numbers: [@Sendable () -> Int]) {
    self.numbers = numbers
    state = Mutex((nil, numbers.map { _ in 0 }))
    var thread = pthread_t()
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context = unsafe context else { return nil }
        unsafe Unmanaged<Watcher>.fromOpaque(context).takeUnretainedValue().watch()
        return nil
      }, context)
    if status == 0 { state.withLock { $0.thread = thread } }
  }

  /// The most seen of each.
  func stop() -> [Int] {
    isStopped.store(true, ordering: .relaxed)
    if let thread = state.withLock({ $0.thread }) { pthread_join(thread, nil) }
    return state.withLock { $0.most }
  }

  private func watch() {
    while !isStopped.load(ordering: .relaxed) {
      let seen = numbers.map { $0() }
      state.withLock { state in state.most = zip(state.most, seen).map { max($0, $1) } }
      usleep(1000)
    }
  }
}
