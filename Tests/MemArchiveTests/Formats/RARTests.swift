import CLibArchive
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

  @Test(arguments: [
    "method36.rar", "rar4-password.rar", "rar4-solid.rar", "rar5-solid.rar", "rar5-password.rar",
  ])
  func `With any byte changed, or cut anywhere, nothing is read that was not in it`(_ file: String) throws {
    let whole = try Fixture.bytes("odd/rar/" + file)
    let options = ExtractionOptions(
      limits: ExtractionLimits(totalBytes: 1 << 26, heldBytes: 1 << 26), formats: .all, onError: .keepGoing)
    func contents(_ bytes: Bytes) throws -> Set<Bytes> {
      guard let files = try? ArchiveReader(bytes: bytes).extract(options: options) else { return [] }
      return Set(try files.map { try $0.file.content })
    }
    let known = try contents(whole).union([[]])
    for position in whole.indices {
      var changed = whole
      changed[position] ^= 0xFF
      #expect(try contents(changed).isSubset(of: known), "byte \(position)")
      #expect(try contents(Bytes(whole.prefix(position))).isSubset(of: known), "cut at \(position)")
    }
  }

  /// libarchive's test_read_format_rar_unbound_staticdata.rar.
  private static let staticData: Bytes = [
    0x52, 0x61, 0x72, 0x21, 0x1A, 0x07, 0x00, 0xCF, 0x90, 0x73, 0x00, 0x00, 0x0D, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x24, 0x7B, 0x74, 0x20, 0x00, 0x2B, 0x00, 0x37, 0x00, 0x00, 0x00, 0x04,
    0x00, 0x00, 0x00, 0x03, 0x1C, 0xDF, 0x44, 0x21, 0x00, 0x00, 0x00, 0x00, 0x1D, 0x31, 0x0B, 0x00,
    0xA4, 0x81, 0x00, 0x00, 0x70, 0x6F, 0x63, 0x5F, 0x62, 0x37, 0x36, 0x2E, 0x74, 0x78, 0x74, 0x00,
    0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6D, 0x9F, 0xF5, 0x4F, 0xC8, 0x0D, 0x30,
    0xD0, 0x00, 0x08, 0x8E, 0xA7, 0x73, 0xB9, 0xAC, 0x9F, 0xF0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x95, 0x40, 0xB7,
    0xCC, 0x80, 0x48, 0x40, 0x10, 0x00, 0x04, 0xB0, 0x7B, 0x00, 0x00, 0x07, 0x00,
  ]

  /// A filter that claims a gigabyte of static data, which libarchive 3.6.2 fills. Bits of the claim are changed by twos, eight
  /// or sixteen apart, which keeps the filter's sum of xor.
  @Test(arguments: [[684, 692], [685, 684, 693, 692], [684, 700]])
  func `What would take more memory than the sandbox has is out of memory`(_ bits: [Int]) throws {
    var bytes = Self.staticData
    for bit in bits { bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8) }
    let options = Isolation.sandboxed.applied(to: ExtractionOptions(formats: .rar))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: bytes).extract(options: options)
    }
    // Later versions than 3.8.0 do not begin with it.
    if archive_version_number() < 3_008_000 {
      #expect(error?.code == .outOfMemory)
      #expect(error?.advice.description.contains("2 GiB") == true)
    }
  }
}
