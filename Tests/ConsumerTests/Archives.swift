import Foundation
import TestSupport
import Testing

/// The archives of the matrix.
enum Archives {
  /// Made by `make` for a run that cannot write anywhere; otherwise made here, once, and removed at the end.
  private static let made = Result { () throws -> String in
    if let given = ProcessInfo.processInfo.environment["MEMARCHIVE_CONSUMER_ARCHIVES"] { return given }
    let directory = FileManager.default.temporaryDirectory.appending(
      path: "memarchive-consumers-\(UUID().uuidString)")
    let script = Repository.path("Tests/ConsumerTests/archives.py")
    let outcome = try Command(
      "python3", ByteString(script.utf8), ByteString(directory.path.utf8), withMore ? "more" : ""
    ).run()
    try #require(outcome == .done())
    toRemove = directory
    atexit { if let directory = Archives.toRemove { try? FileManager.default.removeItem(at: directory) } }
    return directory.path
  }

  /// Written once, before the process ends.
  nonisolated(unsafe) private static var toRemove: URL?

  /// Whether `make consumers` runs.
  static let withMore = ProcessInfo.processInfo.environment["MEMARCHIVE_CONSUMERS"] == "more"

  static func path(_ name: String) throws -> String {
    name == "demo" ? Fixture.directory + "/demo/demo.zip" : try made.get() + "/\(name).tar"
  }
}
