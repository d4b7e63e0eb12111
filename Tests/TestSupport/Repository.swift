package import Foundation

/// The checkout that these tests were built from.
package enum Repository {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  package static func url(_ path: String) -> URL { root.appending(path: path) }
  package static func path(_ path: String) -> String { url(path).path }

  package static func text(of path: String) throws -> String {
    try String(contentsOf: url(path), encoding: .utf8)
  }
}

/// A path in the directory for temporary files that nothing else has.
package func temporaryPath(_ name: String) -> String {
  FileManager.default.temporaryDirectory.appending(path: "\(name)-\(UUID().uuidString)").path
}

/// A directory of the test's own, removed when `body` returns.
package func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  let path = temporaryPath("memarchive")
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try body(path)
}

extension Repository {
  /// A program of the build, beside the test program that runs.
  package static func program(_ name: String) throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(filePath: own).deletingLastPathComponent().appending(path: name).path
  }
}
