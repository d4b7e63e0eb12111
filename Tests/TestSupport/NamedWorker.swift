import Foundation
package import Glibc
package import MemArchive
package import SystemPackage

/// A program that is started as worker under a path of its own, a symbolic link: its processes are told from those of other
/// tests by it, and a test's worker does what the link's name says.
package final class NamedWorker: Sendable {
  package let path: FilePath
  private let directory: String

  private init(_ program: String, named name: String) throws {
    directory = temporaryPath("worker")
    path = FilePath("\(directory)/\(name)")
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(atPath: path.string, withDestinationPath: program)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  package var options: ExtractionOptions {
    ExtractionOptions {
      $0.sandbox = .required
      $0.worker = path.string
    }
  }

  /// Those that were started and are not reaped.
  package var processes: [pid_t] { Family.workers(named: directory).map(\.worker) }
}

extension NamedWorker {
  /// A worker's program: beside MEMARCHIVE_WORKER, which Scripts/sanitize sets, or beside these tests.
  private static func program(_ name: String) throws -> String {
    guard let worker = ProcessInfo.processInfo.environment["MEMARCHIVE_WORKER"] else {
      return try Repository.program(name)
    }
    return URL(filePath: worker).deletingLastPathComponent().appending(path: name).path
  }

  /// The product's worker.
  package convenience init() throws { try self.init(Self.program("memarchive-worker"), named: "worker") }

  /// The worker of Tests/HostileWorker, which tells the lie of this name.
  package convenience init(telling lie: String) throws {
    try self.init(Self.program("HostileWorker"), named: lie)
  }

  /// The worker of Tests/TryingWorker, which is told by its name what it is to try; see CTrying.h.
  package convenience init(trying name: String) throws {
    try self.init(Self.program("trying-worker"), named: name)
  }

  /// One that makes a system call once it is locked in.
  package convenience init(calling call: Int, _ arguments: [Int] = [], blockingSignals: Bool = false) throws {
    let words = [blockingSignals ? "block" : "try", "\(call)"] + arguments.map { "\($0)" }
    try self.init(trying: words.joined(separator: ","))
  }

  /// The numbers of the calls that were refused to those that report them; each once.
  package var reportedCalls: Set<Int> {
    get throws {
      let text = try String(contentsOfFile: "\(path).calls", encoding: .utf8)
      return Set(text.split(separator: "\n").compactMap { Int($0) })
    }
  }
}
