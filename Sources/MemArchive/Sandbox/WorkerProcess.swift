internal import CLinux
internal import CSupervisor
internal import Glibc
internal import SealedMemory
internal import SystemPackage

/// A worker on its way; killed and reaped with its owner.
///
/// It is the child of a process between the two, which ends without a signal: neither SIGCHLD nor wait(2) tells the host
/// of it, no other child of the host is touched, and a host that reaps everything does no harm.
@safe final class WorkerProcess {
  let channel: PacketChannel
  /// What messages call its program.
  let name: String
  /// Nil once it was ended.
  private var supervisor: OpaquePointer?

  /// Starts the program with an empty environment but for what its own loader and runtime go by.
  init(_ program: WorkerLocator.Program) throws(Errno) {
    name = program.name
    var ends: [CInt] = [-1, -1]
    _ = try SystemCalls.valueOrErrno { unsafe clinux_packet_sockets(&ends) }
    channel = PacketChannel(FileDescriptor(rawValue: ends[0]))
    let theirs = HeldDescriptor(FileDescriptor(rawValue: ends[1]))
    // The runtime's handlers would execute another program after a crash.
    var environment = ["SWIFT_BACKTRACE=enable=no"]
    if let libraries = WorkerLocator.environment("LD_LIBRARY_PATH") {
      environment.append("LD_LIBRARY_PATH=\(libraries)")
    }
    let arguments = unsafe Self.pointers([program.path, WorkerLocator.argument])
    let variables = unsafe Self.pointers(environment)
    defer {
      unsafe (arguments + variables).forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) }
    }
    guard let supervisor = unsafe csupervisor_start(program.path, arguments, variables, theirs.rawValue)
    else {
      throw Errno(rawValue: errno)
    }
    unsafe self.supervisor = supervisor
  }

  deinit { _ = end() }

  /// How a process came to its end.
  enum End: Equatable {
    case exit(CInt)
    case signal(CInt)
    /// What waits for it was killed.
    case unknown
  }

  /// Kills it unless it has ended already, and reaps it.
  func end() -> End {
    guard let supervisor = unsafe supervisor else { return .unknown }
    unsafe self.supervisor = nil
    var (how, status) = (CInt(0), CInt(0))
    unsafe csupervisor_end(supervisor, &how, &status)
    return switch how {
    case CInt(CSUPERVISOR_ENDED_EXIT): .exit(status)
    case CInt(CSUPERVISOR_ENDED_SIGNAL): .signal(status)
    default: .unknown
    }
  }

  /// How it ended after it has closed its socket: what crashes takes a moment, and what does not end is killed.
  func endAfterSilence() -> End {
    guard let supervisor = unsafe supervisor else { return .unknown }
    let process = FileDescriptor(rawValue: unsafe csupervisor_descriptor(supervisor))
    let hasEnded = (try? SystemCalls.waitForInput(process, milliseconds: 2000)) ?? false
    let end = end()
    return hasEnded ? end : .unknown
  }

  private static func pointers(_ texts: [String]) -> [UnsafePointer<CChar>?] {
    unsafe texts.map { unsafe UnsafePointer(strdup($0)) } + [nil]
  }
}

extension WorkerProcess.End: CustomStringConvertible {
  var description: String {
    switch self {
    case .exit(let status): "ended with status \(status)"
    case .signal(SIGKILL): "was killed (SIGKILL), as the kernel does when memory runs out"
    case .signal(let number):
      "crashed (\(unsafe strsignal(number).map { unsafe String(cString: $0) } ?? "signal \(number)"))"
    case .unknown: "ended"
    }
  }
}
