import Foundation
import MemArchive
import TestSupport
import Testing

/// An archive that a tool of the system made by its default flags, and what the tool itself unpacks it to.
struct OrdinaryArchive: Decodable, CustomTestStringConvertible {
  /// The name of its file.
  let archive: String
  /// What it is compared by.
  let family: Rules.Family
  /// Whether threads are started to read it: then one reading shows little.
  let threads: Bool
  /// Bytes of content that are packed in it.
  let size: Int
  /// Bytes of its file.
  let packed: Int
  /// Why it could not be made, if so.
  let failure: String?

  var testDescription: String { archive }
  var path: String { Self.directory.appending(path: archive).path }

  /// What the tool unpacked.
  var unpacked: [Unpacked] {
    get throws {
      try JSONDecoder().decode(
        Listing.self, from: Data(contentsOf: Self.directory.appending(path: archive + ".json"))
      ).entries
    }
  }

  /// All of them; none where they cannot be made, which a test of its own tells.
  static let all = (try? made.get()) ?? []

  private struct Listing: Decodable { let entries: [Unpacked] }

  /// Each is made once, and again where the script says to make it otherwise.
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
