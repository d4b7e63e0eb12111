internal import CLinux
internal import Glibc
internal import Synchronization
internal import SystemPackage

/// Where the program is that serves as worker.
enum WorkerLocator {
  static let programName = "memarchive-worker"
  /// The one argument of a program that is started as worker.
  static let argument = "--memarchive-worker"
  /// Whether this program begins with `MemArchiveWorker.runIfRequested()`.
  static let isOwnWorker = Atomic<Bool>(false)

  /// Programs to be tried in turn: the one that was named; beside this program; this program; libexec; and the
  /// directories of PATH where the best effort is enough.
  static func candidates(_ options: ExtractionOptions) -> [String] {
    if let worker = options.worker { return [worker.string] }
    if let named = environment("MEMARCHIVE_WORKER") { return [named] }
    var candidates: [String] = []
    let own = ownProgram()
    let directory = own.map { path in String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
    if let directory { candidates.append("\(directory)/\(programName)") }
    if let own, isOwnWorker.load(ordering: .relaxed) { candidates.append(own) }
    if let directory { candidates.append("\(directory)/../libexec/memarchive/\(programName)") }
    candidates += ["/usr/local", "/usr"].map { "\($0)/libexec/memarchive/\(programName)" }
    if options.sandbox == .bestEffort {
      for directory in (environment("PATH") ?? "").split(separator: ":") where directory.hasPrefix("/") {
        candidates.append("\(directory)/\(programName)")
      }
    }
    return candidates
  }

  static func environment(_ name: String) -> String? {
    guard let value = unsafe clinux_secure_environment(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }

  /// This program's path; without /proc the one that it was executed by.
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
