import MemArchive
import TestSupport
import Testing

/// What of a cabinet can be had when not all can, beside the archives in Fixtures/odd/cab.
struct CabTests {
  private static func read(_ bytes: Bytes, _ isolation: Isolation) throws -> MemFiles {
    let options = isolation.applied(to: ExtractionOptions(formats: .cab, onError: .keepGoing))
    return try ArchiveReader(bytes: bytes).extract(options: options)
  }

  @Test(arguments: Isolation.allCases)
  func `A cabinet of a set gives the files that are whole in it`(_ isolation: Isolation) throws {
    let first = try Self.read(Fixture.bytes("odd/cab/split-1.cab"), isolation)
    #expect(first.names == ["small1.bin"])
    #expect(first.errors.map(\.entry) == ["small2.bin", "medium1.bin"])
    #expect(first.errors.allSatisfy { $0.code == .truncated })
    let mixed = try Self.read(Fixture.bytes("odd/cab/quantum-mixed.cab"), isolation)
    #expect(mixed.names == ["mszip.txt", "lzx.txt"])
    #expect(mixed.errors.map(\.entry) == ["qtm.txt"])
    #expect(mixed.errors.map(\.reason) == ["the method Quantum of cabinets is not decoded"])
  }

  /// As cabextract -t says of each: a cabinet is whole, or it is not.
  @Test(arguments: ["lzx-16bit.cab", "reserve-HFD.cab", "names-utf8.cab"])
  func `Cut anywhere, a cabinet is never taken for the whole`(_ file: String)
    throws
  {
    let whole = try Fixture.bytes("odd/cab/" + file)
    let contents = Set(try Self.read(whole, .inProcess).map { try $0.file.content })
    for count in 4..<whole.count {
      let files = try? Self.read(Bytes(whole.prefix(count)), .inProcess)
      #expect(files.map { !$0.errors.isEmpty } ?? true, "\(count) bytes")
      #expect(
        try files.map { contents.isSuperset(of: try $0.map { try $0.file.content }) } ?? true,
        "\(count) bytes")
    }
  }
}
