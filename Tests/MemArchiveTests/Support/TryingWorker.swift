import Foundation
import Glibc
import SystemPackage
import Testing

/// The worker of Tests/TryingWorker under a name that says what it is to try; see CTrying.h.
final class TryingWorker {
  let path: FilePath
  private let directory: URL

  init(_ name: String) throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "trying-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let link = directory.appending(path: name)
    let program = URL(
      fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    )
    .deletingLastPathComponent().appending(path: "trying-worker")
    try #require(FileManager.default.isExecutableFile(atPath: program.path))
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: program)
    path = FilePath(link.path)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  /// A system call that it makes once it is locked in.
  static func trying(
    _ call: Int, _ arguments: [Int] = [], blockingSignals: Bool = false
  ) throws -> TryingWorker {
    try TryingWorker(
      ([blockingSignals ? "block" : "try", "\(call)"] + arguments.map { "\($0)" }).joined(separator: ","))
  }

  /// The numbers of the calls that were refused, as far as workers of this path have come; each once.
  var reportedCalls: Set<Int> {
    get throws {
      let text = try String(contentsOfFile: "\(path).calls", encoding: .utf8)
      return Set(text.split(separator: "\n").compactMap { Int($0) })
    }
  }
}
