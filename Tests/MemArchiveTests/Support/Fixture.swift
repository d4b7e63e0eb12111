import Crypto
import Foundation
import MemArchive

/// One committed archive and what is in it, as Fixtures/table.json says.
struct Fixture: Decodable, CustomTestStringConvertible {
  struct Entry: Decodable, Equatable {
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
  let why: String
  let entries: [Entry]
  let warnings: Int?

  var testDescription: String { file }
  var path: String { Self.path(file) }
  var bytes: [UInt8] { get throws { try Self.bytes(file) } }

  static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures")

  static func path(_ file: String) -> String { directory.appendingPathComponent(file).path }

  /// What is in it but directories; nothing where the table does not know it.
  static func names(_ file: String) -> [String] {
    all.first { $0.file == file }?.entries.filter { $0.kind != "directory" }.map(\.name) ?? []
  }

  static func bytes(_ file: String) throws -> [UInt8] {
    Array(try Data(contentsOf: directory.appendingPathComponent(file)))
  }

  /// All of them; a table that cannot be read stops the test run where it is first used.
  static let all: [Fixture] = {
    guard let data = try? Data(contentsOf: directory.appendingPathComponent("table.json")),
      let table = try? JSONDecoder().decode([Fixture].self, from: data)
    else { return [] }
    return table
  }()
}

import Testing

func sha256(_ file: MemFile) throws -> String {
  try file.withBytes { bytes in
    bytes.withUnsafeBytes { sha256($0) }
  }
}

func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
  var hash = SHA256()
  hash.update(bufferPointer: bytes)
  return hash.finalize().map { String(format: "%02x", $0) }.joined()
}

extension MemFile {
  /// A copy of the content.
  var content: [UInt8] {
    get throws { try withBytes { bytes in bytes.withUnsafeBytes { Array($0) } } }
  }

  var text: String { get throws { String(decoding: try content, as: UTF8.self) } }
}
