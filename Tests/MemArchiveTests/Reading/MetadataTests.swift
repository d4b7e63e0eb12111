import MemArchive
import TestSupport
import Testing

/// An entry's metadata.
struct MetadataTests {
  private func entry(_ name: String, in file: String) throws -> ArchiveEntry {
    try #require(
      try ArchiveReader(path: Fixture.path(file)).entries().first { $0.name.hasSuffix(name) },
      "\(name) in \(file)")
  }

  @Test(arguments: Isolation.allCases)
  func `pax has times with nanoseconds`(_ isolation: Isolation) throws {
    let times = try ArchiveReader(path: Fixture.path("tar-pax-time.tar")).entries(
      options: isolation.applied()
    ).compactMap(\.modified)
    #expect(times.contains { $0.nanoseconds != 0 })
    #expect(times.contains { $0.seconds == -2 && $0.nanoseconds == 500_000_000 })
  }

  @Test(arguments: Isolation.allCases)
  func `pax has extended attributes`(_ isolation: Isolation) throws {
    let entries = try ArchiveReader(path: Fixture.path("tar-pax-xattr.tar")).entries(
      options: isolation.applied())
    let attributes = entries.flatMap(\.extendedAttributes)
    #expect(!attributes.isEmpty)
    #expect(attributes.allSatisfy { $0.name.contains(".") && !$0.value.isEmpty })
  }

  @Test(arguments: Isolation.allCases)
  func `pax has access control lists`(_ isolation: Isolation) throws {
    let list = Bytes("user::rw-,user:somebody:r--:7,group::r--,mask::r--,other::---".utf8)
    let bytes = Tar.archive(Tar.pax("SCHILY.acl.access", list) + Tar.entry("a", [1]))
    let entry = try #require(try ArchiveReader(bytes: bytes).entries(options: isolation.applied()).first)
    #expect(entry.accessControlList?.contains("user:somebody:r--") == true)
  }

  @Test(arguments: Isolation.allCases)
  func `tar has owners by number and name`(_ isolation: Isolation) throws {
    let bytes = Tar.archive(Tar.entry("a", [1], user: "somebody", userID: 0o1750))
    let entry = try #require(try ArchiveReader(bytes: bytes).entries(options: isolation.applied()).first)
    #expect(entry.user == "somebody")
    #expect(entry.group == nil)
    #expect(entry.userID == 1000)
    #expect(entry.groupID == 0)
    #expect(entry.accessControlList == nil)
  }
}
