import MemArchive
import TestSupport
import Testing

/// What of a RAR archive can be had when not all can, beside the archives in Fixtures/odd/rar.
struct RARTests {
  private static func read(_ files: [String], _ isolation: Isolation) throws -> MemFiles {
    let bytes = try files.reduce(into: Bytes()) { $0 += try Fixture.bytes("odd/rar/" + $1) }
    let options = isolation.applied(to: ExtractionOptions(formats: .all, onError: .keepGoing))
    return try ArchiveReader(bytes: bytes).extract(options: options)
  }

  @Test(arguments: Isolation.allCases)
  func `A volume gives the files that are whole in it`(_ isolation: Isolation) throws {
    // 7z 26.02 says which they are, and that the CRC-32 of smallfile.txt is D08A1F86.
    let last = try Self.read(["rar5-vols.part3.rar"], isolation)
    #expect(last.names == ["vols/smallfile.txt"])
    #expect(last.errors.map(\.entry) == ["vols/bigfile.txt"])
    #expect(last.errors.map(\.code) == [.unsupportedFeature])
    let content = try #require(last["vols/smallfile.txt"]).content
    #expect(Gzip.checksum(content) == 0xD08A_1F86)
    let solid = try Self.read(["rar5-vols.part1.rar"], isolation)
    #expect(solid.names.count == 8)
    #expect(solid.errors.map(\.entry) == ["elf-Linux-ARMv7-ls"])
    #expect(solid.errors.map(\.code) == [.truncated])
    let first = try Self.read(["rar4-vols.part1.rar"], isolation)
    #expect(first.errors.map(\.entry) == ["LibarchiveAddingTest2.html"])
    #expect(first.errors.map(\.code) == [.truncated])
    let rest = try Self.read(["rar4-vols.part6.rar"], isolation)
    #expect(rest.errors.map(\.entry) == ["LibarchiveAddingTest.html"])
    #expect(rest.errors.map(\.code) == [.unsupportedFeature])
    #expect(first.names.isEmpty && rest.names.isEmpty)
  }

  @Test(arguments: Isolation.allCases)
  func `Every file of a solid RAR 4 is listed, and those that cannot be decoded are named`(
    _ isolation: Isolation
  ) throws {
    let files = try Self.read(["rar4-solid.rar"], isolation)
    #expect(files.names == ["file1.txt"])
    #expect(files.errors.map(\.entry) == (2...9).map { "file\($0).txt" })
    #expect(files.errors.allSatisfy { $0.code == .unsupportedFeature })
    let entries = try ArchiveReader(bytes: Fixture.bytes("odd/rar/rar4-solid.rar"))
      .entries(options: isolation.applied(to: ExtractionOptions(formats: .rar)))
    #expect(entries.map(\.name) == (1...9).map { "file\($0).txt" })
    #expect(entries.allSatisfy { $0.size == 6 })
  }

  @Test(arguments: Isolation.allCases)
  func `What is encrypted says so in its entry and in its error`(_ isolation: Isolation) throws {
    for file in [
      "rar15-password-stored.rar", "rar20-password-stored.rar", "rar4-password.rar",
      "rar4-content-encrypted.rar",
      "rar5-password.rar",
    ] {
      let options = isolation.applied(to: ExtractionOptions(formats: .all))
      let bytes = try Fixture.bytes("odd/rar/" + file)
      let entries = try ArchiveReader(bytes: bytes).entries(options: options)
      #expect(entries.contains { $0.isEncrypted })
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: bytes).extract(options: options)
      }
      #expect(error?.reason.contains("encrypted") == true)
      #expect(error?.entry == entries.first { $0.isEncrypted }?.name)
    }
  }
}
