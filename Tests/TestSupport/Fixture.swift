import CNettle
import Foundation
package import MemArchive
import Testing

/// One committed archive and what is in it, as Fixtures/table.json says.
package struct Fixture: Decodable, Sendable, CustomTestStringConvertible {
  package let file: String
  package let why: String
  package let entries: [Entry]
  package let warnings: Int?

  package var testDescription: String { file }
  package var path: String { Self.path(file) }
  package var bytes: Bytes { get throws { try Self.bytes(file) } }

  package static let directory = Repository.path("Fixtures")

  package static func path(_ file: String) -> String { "\(directory)/\(file)" }
  package static func bytes(_ file: String) throws -> Bytes { try Bytes(contentsOfFile: path(file)) }

  /// What is in it but directories; nothing where the table does not know it.
  package static func names(_ file: String) -> [String] {
    all.first { $0.file == file }?.entries.filter { $0.kind != "directory" }.map(\.name) ?? []
  }

  /// All of them; none where the table cannot be read, which FixtureTests tells.
  package static let all: [Fixture] = {
    guard let data = try? Data(contentsOf: Repository.url("Fixtures/table.json")),
      let table = try? JSONDecoder().decode([Fixture].self, from: data)
    else { return [] }
    return table
  }()
}

extension Fixture {
  /// A row of the table.
  package struct Entry: Decodable, Equatable, Sendable {
    package let name: String
    /// The name's bytes in Base64, where it is not UTF-8.
    package let raw: String?
    package let kind: String
    package let size: Int64
    package let sha256: String?
    package let link: String?
    package let mode: String?
    package let mtime: Int64?

    package init(
      name: String, raw: String?, kind: String, size: Int64, sha256: String?, link: String?, mode: String?,
      mtime: Int64?
    ) {
      (self.name, self.raw, self.kind, self.size) = (name, raw, kind, size)
      (self.sha256, self.link, self.mode, self.mtime) = (sha256, link, mode, mtime)
    }

    package static func == (left: Self, right: Self) -> Bool {
      // Names are compared byte by byte, as everywhere.
      left.name.utf8.elementsEqual(right.name.utf8) && left.raw == right.raw && left.kind == right.kind
        && left.size == right.size && left.sha256 == right.sha256 && left.link == right.link
        && left.mode == right.mode && left.mtime == right.mtime
    }

    /// The name's bytes.
    package var rawName: ByteString {
      raw.flatMap { Data(base64Encoded: $0) }.map { ByteString($0) } ?? ByteString(name.utf8)
    }
  }
}

package func sha256(_ file: MemFile) throws -> String {
  try file.withBytes { bytes in bytes.withUnsafeBytes { sha256($0) } }
}

package func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
  var hash = sha256_ctx()
  nettle_sha256_init(&hash)
  nettle_sha256_update(&hash, bytes.count, bytes.baseAddress)
  var digest = Bytes(repeating: 0, count: Int(SHA256_DIGEST_SIZE))
  nettle_sha256_digest(&hash, digest.count, &digest)
  return digest.map { String(format: "%02x", $0) }.joined()
}

extension MemFile {
  /// A copy of the content.
  package var content: Bytes {
    get throws { try withBytes { bytes in bytes.withUnsafeBytes { Array($0) } } }
  }

  package var text: String { get throws { String(decoding: try content, as: UTF8.self) } }
}
