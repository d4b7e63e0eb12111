import CLinux
import Libc
import MemArchive
import Synchronization
import SystemPackage

/// Replaces this program with the command.
enum Execution {
  /// errno of the last call that failed.
  static var lastError: Int32 { Libc.errno }

  /// execvp(3): returns only when it fails.
  static func command(named name: String, _ arguments: [[UInt8]]) -> ExitStatus {
    unsafe withStrings(arguments) { pointers in
      guard let program = unsafe pointers[0] else { return .usage }
      unsafe execvp(program, pointers)
      return failure(of: name)
    }
  }

  /// Executes a command of an image, as docker(1) does: looked for in PATH, and without the shell to which execvp(3) passes a file
  /// that the kernel does not recognize, such as a program for another processor; returns only when that fails.
  ///
  /// - Parameter platform: What the image is for.
  static func imageCommand(
    named name: String, _ arguments: [[UInt8]], platform: ContainerImage.Platform
  ) -> ExitStatus {
    let program = arguments[0]
    var places = [program]
    if !program.isEmpty, !program.contains(UInt8(ascii: "/")) {
      let path = unsafe getenv("PATH").map { unsafe Array(String(cString: $0).utf8) } ?? []
      places = path.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
        ($0.isEmpty ? [UInt8(ascii: ".")] : $0) + [UInt8(ascii: "/")] + program
      }
    }
    return unsafe withStrings(arguments) { pointers in
      var error = Errno.noSuchFileOrDirectory
      for place in places {
        unsafe execv(place.map { CChar(bitPattern: $0) } + [0], pointers)
        let failure = Errno(rawValue: Libc.errno)
        if failure == .noSuchFileOrDirectory || failure == .notDirectory { continue }
        error = failure
        if failure != .permissionDenied { break }
      }
      let status = Self.failure(of: name, error)
      if error == .execFormatError, platform != .host {
        Diagnostics.report(
          "the image is for \(platform), and this machine is \(ContainerImage.Platform.host).")
      }
      return status
    }
  }

  /// Executes a program in memory by its descriptor; returns only when that fails.
  static func entry(_ file: MemFile, _ arguments: [[UInt8]]) throws(ArchiveError) -> ExitStatus {
    let descriptor = try file.fileDescriptor.rawValue
    return unsafe withStrings(arguments) { pointers in
      unsafe _ = clinux_execute(descriptor, pointers)
      return withExtendedLifetime(file) { failure(of: file.name) }
    }
  }

  /// Executes a file by a path that a script's interpreter can open too; returns only when that fails.
  static func script(_ name: String, at path: [UInt8], _ arguments: [[UInt8]]) -> ExitStatus {
    unsafe withStrings(arguments) { pointers in
      // execvp passes a file that the kernel does not recognize to the shell.
      unsafe _ = execvp(path.map { CChar(bitPattern: $0) } + [0], pointers)
      return failure(of: name)
    }
  }

  private static func failure(of name: String) -> ExitStatus {
    failure(of: name, Errno(rawValue: Libc.errno))
  }

  /// Reports that a command cannot be executed.
  static func failure(of name: String, _ error: Errno) -> ExitStatus {
    // Once, also where several are started at once.
    Diagnostics.reportOnce("\(name): \(error)")
    return error == .noSuchFileOrDirectory ? .commandNotFound : .commandNotExecutable
  }

  private static func withStrings(
    _ arguments: [[UInt8]], _ execute: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> ExitStatus
  ) -> ExitStatus {
    do throws(ExitStatus) { try Output.flush() } catch { return error }
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { argument in
      unsafe strdup((argument.map { CChar(bitPattern: $0) } + [0]))
    }
    unsafe pointers.append(nil)
    DescriptorLimit.restore()
    BrokenPipe.restore()
    // It would outlive this program as a child of the command's.
    ExtractionPool.shared.end()
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return .usage }
      return unsafe execute(start)
    }
  }
}

extension MemFile {
  /// Whether the kernel executes this file directly. Anything else is opened by an interpreter.
  var isMachineProgram: Bool {
    get throws {
      try withBytes { bytes in
        unsafe bytes.withUnsafeBytes { unsafe $0.starts(with: [0x7F] + Array("ELF".utf8)) }
      }
    }
  }
}

/// The soft limit on descriptors: raised while extracting, restored for an executed command.
enum DescriptorLimit {
  private static let original = Mutex<rlimit?>(nil)

  /// Raises the soft limit to the hard one, which is returned.
  @discardableResult static func raise() -> Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    original.withLock { $0 = $0 ?? limit }
    limit.rlim_cur = limit.rlim_max
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_max)
  }

  /// The soft limit.
  static var current: Int {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }

  /// Restores the user's soft limit.
  static func restore() {
    guard var limit = original.withLock({ $0 }) else { return }
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
