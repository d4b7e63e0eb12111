import Foundation
import MemArchive
import TestSupport
import Testing

/// An archive that a system tool made with its default flags, and the result of unpacking it with that tool.
struct OrdinaryArchive: Decodable, CustomTestStringConvertible {
  /// The name of its file.
  let archive: String
  /// The rules for comparing it.
  let family: Rules.Family
  /// Whether threads are started to read it, so that one reading proves little.
  let threads: Bool
  /// Bytes of content in it.
  let size: Int
  /// Bytes of its file.
  let packed: Int
  /// The reason that it could not be made, if any.
  let failure: String?

  var testDescription: String { archive }
  var path: String { Self.directory.appending(path: archive).path }

  /// The files that the tool unpacked.
  var unpacked: [Unpacked] {
    get throws {
      try JSONDecoder().decode(
        Listing.self, from: Data(contentsOf: Self.directory.appending(path: archive + ".json"))
      ).entries
    }
  }

  /// All archives; none if they cannot be made, which a separate test reports.
  static let all = (try? made.get()) ?? []

  private struct Listing: Decodable { let entries: [Unpacked] }

  /// Each is made once, and again when the script's recipe for it changes.
  static let made = Result { () throws -> [OrdinaryArchive] in
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script.path, directory.path]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return try JSONDecoder().decode(
      [OrdinaryArchive].self, from: Data(contentsOf: directory.appending(path: "manifest.json")))
  }

  private static let script = Repository.url("Tests/OrdinaryTests/ordinary.py")
  private static let directory = Repository.url(".build/ordinary")
}
