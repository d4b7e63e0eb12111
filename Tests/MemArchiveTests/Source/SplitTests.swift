import MemArchive
import SystemPackage
import TestSupport
import Testing

/// An archive in several files.
struct SplitTests {
  @Test(arguments: ["tree.tar.gz", "zip-deflated.zip", "7z-lzma2.7z"], [1, 100])
  func `A split file reads as if it were whole`(name: String, size: Int) throws {
    for isolation in Isolation.allCases {
      let bytes = try Fixture.bytes(name)
      let size = max(size, bytes.count / 50)
      let parts = try stride(from: 0, to: bytes.count, by: size).map {
        try MemFile(name: "part", bytes: Bytes(bytes[$0..<min($0 + size, bytes.count)]))
      }
      try withExtendedLifetime(parts) {
        let paths = try parts.map { FilePath(try $0.path) }
        let whole = try ArchiveReader(bytes: bytes).extract(options: isolation.applied())
        let joined = try ArchiveReader(paths: paths).extract(options: isolation.applied())
        #expect(joined.names == whole.names)
        #expect(try joined.map { try $0.file.content } == whole.map { try $0.file.content })
        #expect(throws: ArchiveError.self) {
          try ArchiveReader(paths: [paths[0]]).extract(options: isolation.applied())
        }
      }
    }
  }
}
