internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A thread of this library, to be joined or detached once.
struct JoinableThread: ~Copyable {
  private enum Kind {
    case own(pthread_t)
    case borrowed(PrestartedThreads.Slot)
  }

  private let kind: Kind

  /// Shown in /proc/PID/task/TID/comm.
  static let name = "memarchive"

  /// Signals for a thread's own faults: if they were blocked, the kernel would kill the process without calling its handlers.
  private static let own = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]

  /// Runs `body` on a new thread. The host's signals are not delivered to it.
  static func start(_ body: @escaping @Sendable () -> Void) throws(ArchiveError) -> Self {
    if let supply = PrestartedThreads.current {
      guard let slot = supply.borrow(body) else {
        throw .system("pthread_create", .wouldBlock, doing: "borrowing a thread")
      }
      return Self(kind: .borrowed(slot))
    }
    // Growing the descriptor table takes no RCU grace period while the process has a single thread.
    if clinux_thread_count() == 1 { SystemCalls.growDescriptorTable() }
    var all = sigset_t()
    var before = sigset_t()
    unsafe sigfillset(&all)
    for signal in own { unsafe sigdelset(&all, signal) }
    unsafe pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { unsafe _ = pthread_sigmask(SIG_SETMASK, &before, nil) }
    var thread = pthread_t()
    let context = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        guard let context = unsafe context else { return nil }
        unsafe clinux_name_thread(JoinableThread.name)
        unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context)
    guard status == 0 else {
      unsafe Unmanaged<Body>.fromOpaque(context).release()
      throw .system("pthread_create", Errno(rawValue: status), doing: "starting a thread")
    }
    return Self(kind: .own(thread))
  }

  private init(kind: Kind) { self.kind = kind }

  /// Waits until the thread has ended.
  consuming func join() {
    switch kind {
    case .own(let thread): pthread_join(thread, nil)
    case .borrowed(let slot): slot.join()
    }
  }

  /// Lets the thread end on its own.
  consuming func detach() {
    if case .own(let thread) = kind { pthread_detach(thread) }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}

/// Threads that are joined together.
package struct ThreadGroup: ~Copyable {
  private var handles: [Handle] = []

  private final class Handle {
    private var thread: JoinableThread?
    init(_ thread: consuming JoinableThread) { self.thread = consume thread }
    func join() { thread.take()?.join() }
  }

  package init() {}

  package mutating func start(_ body: @escaping @Sendable () -> Void) throws(ArchiveError) {
    handles.append(Handle(try JoinableThread.start(body)))
  }

  package mutating func join() {
    for handle in handles { handle.join() }
    handles = []
  }
}
