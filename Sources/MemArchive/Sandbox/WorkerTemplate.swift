internal import CLinux
internal import CSupervisor
internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A process of the worker program that has loaded and warmed what a worker needs, and forks one for each archive. It is killed
/// and reaped when this object is released.
///
/// It is the child of an intermediate process that ends without a signal: the host gets no SIGCHLD and does not see it in
/// wait(2), no other child of the host is touched, and a host that reaps all children does no harm.
@safe final class WorkerTemplate: @unchecked Sendable {
  let program: WorkerLocator.Program
  /// Takes requests for workers. What it sends is not waited for, so it needs no lock.
  private let socket: HeldDescriptor
  private let state: Mutex<State>

  @safe private enum State: @unchecked Sendable {
    case running(OpaquePointer)
    case ended(ProcessEnd)
  }

  /// A process that was forked from the host needs a template of its own, and numbers that the host has closed under this library
  /// may be another file's.
  private let process = getpid()
  private let file: Stat?
  /// A host that gave up rights needs a template without them.
  private let owner = Owner()

  private struct Owner: Equatable {
    let user = geteuid()
    let group = getegid()
  }

  /// Starts the program with an environment that is empty except for variables of its loader and runtime.
  init(_ program: WorkerLocator.Program) throws(Errno) {
    self.program = program
    let (own, theirs) = try Self.packetSockets()
    socket = own
    file = try? Stat(FileDescriptor(rawValue: own.rawValue))
    // After a crash, the Swift runtime would execute its backtrace program.
    var environment = ["SWIFT_BACKTRACE=enable=no"]
    if let libraries = Environment.value("LD_LIBRARY_PATH") {
      environment.append("LD_LIBRARY_PATH=\(libraries)")
    }
    let arguments = unsafe Self.pointers([program.path, WorkerLocator.argument])
    let variables = unsafe Self.pointers(environment)
    defer {
      unsafe (arguments + variables).forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) }
    }
    guard let started = unsafe csupervisor_start(program.path, arguments, variables, theirs.rawValue)
    else {
      throw Errno(rawValue: errno)
    }
    state = unsafe Mutex(.running(started))
  }

  deinit { if !endIfOwn() { _ = socket.take() } }

  /// False where it is another process's, or its socket another file.
  @discardableResult func endIfOwn() -> Bool {
    guard isIntact else { return false }
    end()
    return true
  }

  static func packetSockets() throws(Errno) -> (HeldDescriptor, HeldDescriptor) {
    var ends: [CInt] = [-1, -1]
    _ = try SystemCalls.valueOrErrno { unsafe clinux_packet_sockets(&ends) }
    return (
      HeldDescriptor(FileDescriptor(rawValue: ends[0])), HeldDescriptor(FileDescriptor(rawValue: ends[1]))
    )
  }

  private var isIntact: Bool {
    guard process == getpid(), let file,
      let now = try? Stat(FileDescriptor(rawValue: socket.rawValue))
    else { return false }
    return now.isSameFile(as: file)
  }

  /// Whether it can be asked for workers of this program.
  func serves(_ program: WorkerLocator.Program) -> Bool {
    program.path == self.program.path && isIntact && owner == Owner() && !hasEnded(within: 0)
  }

  /// Asks for a worker that serves `socket`, and says on `control` how it ended. `wouldBlock`: it has not yet taken earlier requests.
  func ask(socket: HeldDescriptor, control: HeldDescriptor) throws(Errno) {
    let request: [UInt8] = [0]
    _ = try unsafe SystemCalls.send(
      request.span.bytes,
      with: [FileDescriptor(rawValue: socket.rawValue), FileDescriptor(rawValue: control.rawValue)],
      to: FileDescriptor(rawValue: self.socket.rawValue), waits: false)
  }

  /// Waits until it takes requests, at most this long.
  func awaitRoom(milliseconds: CInt) {
    _ = try? SystemCalls.wait(
      for: POLLOUT, on: FileDescriptor(rawValue: socket.rawValue), milliseconds: milliseconds)
  }

  /// Milliseconds that it may take to end: one that takes longer has been stopped, and is killed.
  private static let longestEnd: CInt = 1000

  /// Ends it unless it has ended already, with all of its workers, and reaps it.
  @discardableResult func end() -> ProcessEnd {
    state.withLock { state in
      switch state {
      case .ended(let end): return end
      case .running(let supervisor):
        // Takes that for the wish to end it, and reaps its workers, which would otherwise be left to process 1.
        shutdown(socket.rawValue, CInt(SHUT_RDWR))
        let process = FileDescriptor(rawValue: unsafe csupervisor_descriptor(supervisor))
        _ = try? SystemCalls.waitForInput(process, milliseconds: Self.longestEnd)
        var (how, status) = (CInt(0), CInt(0))
        unsafe csupervisor_end(supervisor, &how, &status)
        let end = ProcessEnd(how: how, status: status)
        state = .ended(end)
        return end
      }
    }
  }

  /// How it ended, after its workers have lost it: that takes a moment, and one that does not end is killed.
  func endByItself() -> ProcessEnd {
    let hasEnded = hasEnded(within: 2000)
    let end = end()
    return hasEnded ? end : .unknown
  }

  /// Whether it has ended, and not by itself.
  var wasKilled: Bool {
    guard hasEnded(within: 0) else { return false }
    if case .exit = end() { return false }
    return true
  }

  private func hasEnded(within milliseconds: CInt) -> Bool {
    state.withLock { state in
      guard case .running(let supervisor) = state else { return true }
      let process = FileDescriptor(rawValue: unsafe csupervisor_descriptor(supervisor))
      return (try? SystemCalls.waitForInput(process, milliseconds: milliseconds)) ?? false
    }
  }

  private static func pointers(_ texts: [String]) -> [UnsafePointer<CChar>?] {
    unsafe texts.map { unsafe UnsafePointer(strdup($0)) } + [nil]
  }
}

/// How a process ended.
enum ProcessEnd: Equatable {
  case exit(CInt)
  case signal(CInt)
  /// It could not be forked, for this error.
  case notStarted(CInt)
  /// The process that waits for it was killed.
  case unknown

  init(how: CInt, status: CInt) {
    self =
      switch how {
      case CInt(CSUPERVISOR_ENDED_EXIT): .exit(status)
      case CInt(CSUPERVISOR_ENDED_SIGNAL): .signal(status)
      case CInt(CTEMPLATE_NOT_STARTED): .notStarted(status)
      default: .unknown
      }
  }
}

extension ProcessEnd: CustomStringConvertible {
  /// Whether this process, and so each that it starts, may use only so much processor time: at its end the kernel kills.
  private static var isProcessorTimeLimited: Bool {
    var limit = rlimit()
    return unsafe getrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &limit) == 0
      && limit.rlim_max != .max
  }

  var description: String {
    switch self {
    case .exit(let status): "ended with status \(status)"
    case .signal(SIGKILL):
      "was killed (SIGKILL), as the kernel does when memory runs out"
        + (Self.isProcessorTimeLimited ? ", or the processor time that ulimit -t allows" : "")
    case .signal(let number):
      "crashed (\(unsafe strsignal(number).map { unsafe String(cString: $0) } ?? "signal \(number)"))"
    case .notStarted(let error): "could not be forked (\(Errno(rawValue: error)))"
    case .unknown: "ended"
    }
  }
}
