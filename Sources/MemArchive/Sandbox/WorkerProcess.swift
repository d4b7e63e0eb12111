internal import CLinux
internal import Glibc
internal import SystemPackage

/// A worker on its way; killed and reaped with its owner.
///
/// It is awaited by a descriptor of its own (pidfd_open(2)), so that no other child of the host is touched, and a host that
/// reaps everything does no harm.
@safe final class WorkerProcess {
  let channel: PacketChannel
  let path: String
  private let process: FileDescriptor
  private var isReaped = false

  /// Starts the program with an empty environment but for what its own loader and runtime go by.
  init(_ path: String) throws(Errno) {
    self.path = path
    var ends: [CInt] = [-1, -1]
    _ = try SystemCalls.valueOrErrno { unsafe clinux_packet_sockets(&ends) }
    channel = PacketChannel(FileDescriptor(rawValue: ends[0]))
    let theirs = HeldDescriptor(FileDescriptor(rawValue: ends[1]))
    // The runtime's handlers would execute another program after a crash.
    var environment = ["SWIFT_BACKTRACE=enable=no"]
    if let libraries = WorkerLocator.environment("LD_LIBRARY_PATH") {
      environment.append("LD_LIBRARY_PATH=\(libraries)")
    }
    var descriptor: CInt = -1
    let arguments = unsafe Self.pointers([path, WorkerLocator.argument])
    let variables = unsafe Self.pointers(environment)
    defer {
      unsafe (arguments + variables).forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) }
    }
    _ = try SystemCalls.valueOrErrno {
      unsafe clinux_spawn_worker(path, arguments, variables, theirs.rawValue, &descriptor)
    }
    process = FileDescriptor(rawValue: descriptor)
  }

  deinit {
    _ = end()
    SystemCalls.close(process)
  }

  /// How a process came to its end.
  enum End: Equatable {
    case exit(CInt)
    case signal(CInt)
    /// Somebody else has reaped it.
    case unknown
  }

  /// Kills it unless it has ended already, and reaps it.
  func end() -> End {
    guard !isReaped else { return .unknown }
    isReaped = true
    _ = clinux_kill_process(process.rawValue)
    var (how, status) = (CInt(0), CInt(0))
    unsafe clinux_await_process(process.rawValue, &how, &status)
    return switch how {
    case CInt(CLINUX_ENDED_EXIT): .exit(status)
    case CInt(CLINUX_ENDED_SIGNAL): .signal(status)
    default: .unknown
    }
  }

  /// How it ended after it has closed its socket: what crashes takes a moment, and what does not end is killed.
  func endAfterSilence() -> End {
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
