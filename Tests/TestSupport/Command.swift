import Foundation
import Glibc
import Synchronization

/// A program to be started with exact arguments, bytes that need not be UTF-8, and with nothing of this
/// process but what is named here. Foundation's Process can do neither.
package struct Command: Sendable {
  package enum Input: Sendable {
    case nothing
    /// A pipe that holds these bytes and then ends.
    case pipe(ByteString)
    case file(String)
    /// One of this process, which keeps it.
    case descriptor(CInt)
    /// No descriptor 0 at all.
    case closed
  }

  package enum Output: Sendable {
    case captured
    case file(String)
    /// A pipe that nobody reads.
    case brokenPipe
    /// No descriptor 1 at all.
    case closed
  }

  package var arguments: [ByteString]
  package var input = Input.nothing
  package var output = Output.captured
  package var directory = Fixture.directory
  /// Beside PATH and a UTF-8 locale.
  package var environment: [String: String] = [:]

  package init(_ arguments: [ByteString]) { self.arguments = arguments }
  package init(_ arguments: ByteString...) { self.arguments = arguments }

  /// Starts it and waits for its end.
  package func run() throws -> Outcome { try start().wait() }

  /// Starts it as a process group of its own, with descriptors 0, 1 and 2 alone and no signal blocked.
  package func start() throws -> Running {
    let errors = try PipeEnds()
    defer { close(errors.writing) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let source = try openInput()
    defer { if let source { close(source) } }
    let (reading, sink) = try openOutput()
    defer { if let sink { close(sink) } }
    for (descriptor, number) in [
      (source, STDIN_FILENO), (sink, STDOUT_FILENO), (errors.writing, STDERR_FILENO),
    ] {
      if let descriptor { posix_spawn_file_actions_adddup2(&actions, descriptor, number) }
    }
    if source == nil { posix_spawn_file_actions_addclose(&actions, STDIN_FILENO) }
    if sink == nil { posix_spawn_file_actions_addclose(&actions, STDOUT_FILENO) }
    do {
      return Running(pid: try spawn(&actions), output: reading, errors: errors.reading)
    } catch {
      close(errors.reading)
      if let reading { close(reading) }
      throw error
    }
  }

  private func spawn(_ actions: inout posix_spawn_file_actions_t) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    let arguments = CStrings(["env", "-C", ByteString(directory.utf8), "--"] + arguments)
    let environment = CStrings(variables.map { ByteString("\($0.key)=\($0.value)") })
    return try PipeEnds.whileNoneIsMade {
      // Whatever else this process has open is closed there; a number that is closed already does no harm.
      for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
        if let number = CInt(name), number > 2 { posix_spawn_file_actions_addclose(&actions, number) }
      }
      var pid: pid_t = 0
      let failure = posix_spawnp(&pid, "env", &actions, &attributes, arguments.pointers, environment.pointers)
      guard failure == 0 else { throw SystemFailure("posix_spawnp", failure) }
      return pid
    }
  }

  private var variables: [String: String] {
    var variables = ["LC_ALL": "C.UTF-8", "TZ": "UTC"]
    // A toolchain or a Python may be found through these, wherever they were installed.
    for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "PYENV_ROOT"] {
      variables[name] = getenv(name).map { String(cString: $0) }
    }
    return variables.merging(environment) { _, own in own }
  }

  private func openInput() throws -> CInt? {
    switch input {
    case .nothing: return try SystemFailure.check(open("/dev/null", O_RDONLY | O_CLOEXEC), "open /dev/null")
    case .file(let path): return try SystemFailure.check(open(path, O_RDONLY | O_CLOEXEC), "open \(path)")
    case .descriptor(let descriptor): return try SystemFailure.check(dup(descriptor), "dup")
    case .closed: return nil
    case .pipe(let bytes):
      // The pipe takes everything before its reader starts, so that nobody has to write meanwhile.
      let pipe = try PipeEnds()
      defer { close(pipe.writing) }
      // What does not fit (64 KiB) is an error and not a wait without an end.
      try SystemFailure.check(fcntl(pipe.writing, F_SETFL, O_NONBLOCK), "fcntl")
      let written = bytes.values.withUnsafeBytes { write(pipe.writing, $0.baseAddress, $0.count) }
      guard written == bytes.values.count else {
        close(pipe.reading)
        throw SystemFailure("write to a pipe", written < 0 ? errno : EFBIG)
      }
      return pipe.reading
    }
  }

  /// The end to read from, if any, and the end that becomes descriptor 1, if any.
  private func openOutput() throws -> (reading: CInt?, sink: CInt?) {
    switch output {
    case .captured:
      let pipe = try PipeEnds()
      return (pipe.reading, pipe.writing)
    case .file(let path):
      return (nil, try SystemFailure.check(open(path, O_WRONLY | O_CLOEXEC), "open \(path)"))
    case .brokenPipe:
      let pipe = try PipeEnds()
      close(pipe.reading)
      return (nil, pipe.writing)
    case .closed: return (nil, nil)
    }
  }
}

/// Both ends of a new pipe; neither is inherited unless it is duplicated.
package struct PipeEnds {
  package let reading: CInt
  package let writing: CInt

  package init() throws {
    (reading, writing) = try Self.whileNoneIsMade {
      var ends: [CInt] = [-1, -1]
      try SystemFailure.check(pipe(&ends), "pipe")
      for end in ends { try SystemFailure.check(fcntl(end, F_SETFD, FD_CLOEXEC), "fcntl") }
      return (ends[0], ends[1])
    }
  }

  /// Calls `body` alone: between pipe(2) and FD_CLOEXEC no process must start and keep the pipe.
  package static func whileNoneIsMade<Result>(_ body: () throws -> Result) throws -> Result {
    try lock.withLock { _ in try body() }
  }

  private static let lock = Mutex(())
}

/// A null-terminated array of C strings, freed with its owner.
private final class CStrings {
  private(set) var pointers: [UnsafeMutablePointer<CChar>?]

  init(_ strings: [ByteString]) {
    pointers = strings.map { strdup($0.values.map { CChar(bitPattern: $0) } + [0]) } + [nil]
  }

  deinit { pointers.forEach { free($0) } }
}
