internal import CLinux
internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// Finds the worker program.
enum WorkerLocator {
  static let programName = "memarchive-worker"
  /// The only argument of a worker.
  static let argument = "--memarchive-worker"
  /// Whether this program begins with `MemArchiveWorker.runIfRequested()`.
  static let isOwnWorker = Atomic<Bool>(false)

  /// A worker program.
  struct Program {
    let path: String
    /// Its name in messages.
    let name: String
  }

  /// The program that the caller names, whatever it is; otherwise the first one found that other users cannot change.
  ///
  /// - Throws: `sandboxUnavailable` if there is none.
  static func program(_ options: ExtractionOptions) throws(ArchiveError) -> Program {
    if let worker = options.worker { return Program(path: worker, name: worker) }
    if let named = Environment.value(Environment.worker) {
      return Program(path: named, name: "\(Environment.worker)=\(named)")
    }
    let own = ownProgram()
    return try first(of: candidates(options, own, library), running: own)
  }

  /// - Parameter own: This program, which is trusted because it is already running.
  static func first(of candidates: [String], running own: String?) throws(ArchiveError) -> Program {
    var passedOver: ArchiveError?
    for path in candidates {
      let status: Stat
      do throws(Errno) { status = try unsafe Stat(path) } catch {
        // For want of memory it may be there all the same.
        if let exhausted = ArchiveError.exhausted("stat", error, doing: "looking for \(path)") {
          throw exhausted
        }
        continue
      }
      guard status.type == .regular else { continue }
      if path == own || isTrusted(status) { return Program(path: path, name: path) }
      passedOver = passedOver ?? .changeableWorker(path, status)
    }
    throw passedOver ?? .missingWorker()
  }

  /// Whether root and this process's user alone can change it.
  private static func isTrusted(_ status: Stat) -> Bool {
    [0, geteuid()].contains(status.userID.rawValue) && status.mode.rawValue & 0o022 == 0
  }

  /// Programs to try in order: beside the shared object that has this code, and its libexec; beside this program; this
  /// program; libexec; and, if best effort is enough, the directories of PATH.
  private static func candidates(_ options: ExtractionOptions, _ own: String?, _ library: String?) -> [String]
  {
    var candidates: [String] = []
    if let library = library.map(directory(of:)) {
      // PREFIX/lib has libraries, or PREFIX/lib/x86_64-linux-gnu.
      candidates += ["", "/../libexec/memarchive", "/../../libexec/memarchive"].map {
        "\(library)\($0)/\(programName)"
      }
    }
    let directory = own.map(directory(of:))
    if let directory { candidates.append("\(directory)/\(programName)") }
    if let own, isOwnWorker.load(ordering: .relaxed) { candidates.append(own) }
    if let directory { candidates.append("\(directory)/../libexec/memarchive/\(programName)") }
    candidates += ["/usr/local", "/usr"].map { "\($0)/libexec/memarchive/\(programName)" }
    if options.sandbox == .bestEffort {
      for directory in (Environment.value("PATH") ?? "").split(separator: ":") where directory.hasPrefix("/")
      {
        candidates.append("\(directory)/\(programName)")
      }
    }
    return candidates
  }

  private static func directory(of path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  /// The shared object that has this code; nil if it is in the program itself.
  fileprivate static let library: String? = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard unsafe clinux_object_path(&buffer, buffer.count) == 0 else { return nil }
    let path = text(buffer)
    return path == ownProgram() ? nil : path
  }()

  private static func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// This program's path; without /proc, the path it was executed by.
  private static func ownProgram() -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    if count > 0, count < buffer.count {
      return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    guard let executed = unsafe clinux_executed_path() else { return nil }
    let path = unsafe String(cString: executed)
    return path.contains("/") ? path : nil
  }
}

extension ArchiveError {
  fileprivate static func missingWorker() -> Self {
    .sandboxUnavailable(
      "the worker",
      "\(WorkerLocator.programName) is neither named (MEMARCHIVE_WORKER), beside this program nor installed: "
        + (WorkerLocator.library.map { "install it with the library \($0), or put it beside that" }
          ?? "call MemArchiveWorker.runIfRequested() first thing in main, or add the product \(WorkerLocator.programName) to the target's dependencies")
    )
  }

  fileprivate static func changeableWorker(_ path: String, _ status: Stat) -> Self {
    let mode = "0" + String(status.mode.rawValue & 0o7777, radix: 8)
    return .sandboxUnavailable(
      "the worker",
      "\(path) is not used because others can change it (owner \(status.userID.rawValue), mode \(mode)): make root or "
        + "yourself its owner (chown), and let nobody else write to it (chmod go-w)")
  }
}
