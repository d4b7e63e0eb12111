import Foundation
import Testing

/// One committed archive, and what Fixtures/table.json says is in it.
struct Fixture: Decodable, Sendable {
  struct Entry: Decodable, Sendable {
    let name: String
    let raw: String?
    let kind: String
    let size: Int64
    let sha256: String?
    let link: String?
    let mode: String?
    let mtime: Int64?
  }

  let file: String
  let entries: [Entry]
  let warnings: Int?

  static let directory = packageDirectory + "/Fixtures"
  /// All that the table holds. Empty when it cannot be read, which FixtureSweepTests would notice.
  static let all: [Fixture] = {
    guard let table = FileManager.default.contents(atPath: directory + "/table.json") else { return [] }
    return (try? JSONDecoder().decode([Fixture].self, from: table)) ?? []
  }()

  /// The bytes of a fixture, or of another file of the repository.
  static func bytes(_ name: String, in directory: String = Self.directory) throws -> Bytes {
    Bytes(try Data(contentsOf: URL(filePath: directory + "/" + name)))
  }

  /// A text that these tests expect, committed beside them.
  static func expected(_ name: String) throws -> Bytes {
    try bytes(name, in: packageDirectory + "/Tests/CommandTests/Expected")
  }

  private static let packageDirectory: String =
    #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
}

extension Fixture: CustomTestStringConvertible {
  var testDescription: String { file }
}

extension Fixture.Entry {
  /// The name's bytes.
  var rawName: Bytes { raw.flatMap { Data(base64Encoded: $0) }.map { Bytes($0) } ?? Bytes(name.utf8) }
}
