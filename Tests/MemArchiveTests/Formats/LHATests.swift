import MemArchive
import TestSupport
import Testing

/// What the readers of LHA's headers and methods say, beside the archives in Fixtures/odd/lha.
struct LHATests {
  private static func read(_ bytes: Bytes, _ isolation: Isolation, encoding: String? = nil) throws -> MemFiles
  {
    var options = isolation.applied(to: ExtractionOptions(formats: .lha, onError: .keepGoing))
    options.encoding = encoding
    return try ArchiveReader(bytes: bytes).extract(options: options)
  }

  private static let hello = Bytes("hello".utf8)

  @Test(arguments: Isolation.allCases)
  func `A name keeps its bytes, and is decoded on request`(_ isolation: Isolation) throws {
    let name: Bytes = [0x93, 0xFA, 0x96, 0x7B]
    let archive =
      LHA.short(name, Self.hello) + LHA.extended(name, name, Self.hello)
      + LHA.long(name, Self.hello, level: 3)
    let raw = try Self.read(archive + LHA.end, isolation)
    #expect(raw.entries.map(\.rawName) == [name, name + Bytes("/".utf8) + name, name])
    let decoded = try Self.read(archive + LHA.end, isolation, encoding: "CP932")
    #expect(decoded.entries.map(\.name) == ["日本", "日本/日本", "日本"])
    #expect(decoded.entries.map(\.rawName) == raw.entries.map(\.rawName))
  }

  @Test(arguments: Isolation.allCases)
  func `A method that is not decoded is named, and costs no other member`(_ isolation: Isolation) throws {
    for method in ["-lh1-", "-lh2-", "-lh3-", "-lzs-", "-lz5-", "-lhx-", "-pm1-", "-pm2-"] {
      let odd = LHA.short(Bytes("odd".utf8), Self.hello, method: method)
      let files = try Self.read(odd + LHA.short(Bytes("a".utf8), Self.hello) + LHA.end, isolation)
      #expect(files.names == ["a"])
      #expect(files.errors.map(\.code) == [.unsupportedFeature])
      #expect(files.errors.map(\.entry) == ["odd"])
      #expect(
        files.errors.first?.reason == "the method \(method) of LHA is not decoded")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `An odd member costs no other`(_ isolation: Isolation) throws {
    var changed = LHA.short(Bytes("odd".utf8), Self.hello)
    changed[changed.count - 1] ^= 1
    for odd in [changed, LHA.short([], Self.hello), LHA.long(Bytes("o\0d".utf8), Self.hello)] {
      let files = try Self.read(odd + LHA.short(Bytes("a".utf8), Self.hello) + LHA.end, isolation)
      #expect(files.names == ["a"])
      #expect(files.errors.map(\.code) == [.corrupt])
    }
  }

  @Test func `Sizes that no archive has are corrupt`() throws {
    let parts: [(at: Int, bytes: Bytes)] = [
      // A member, a header of level 0 and one of level 3 that are longer than what there is, and one shorter than itself.
      (7, little(UInt32.max)), (0, [0xFF]), (24, little(UInt32.max)), (24, little(UInt32(10))),
    ]
    for (number, part) in parts.enumerated() {
      var bytes =
        number < 2 ? LHA.short(Bytes("a".utf8), Self.hello) : LHA.long(Bytes("a".utf8), Self.hello, level: 3)
      bytes.replaceSubrange(part.at..<part.at + part.bytes.count, with: part.bytes)
      let files = try Self.read(bytes + LHA.end, .inProcess)
      #expect(files.entries.isEmpty)
      #expect([[.corrupt], [.truncated]].contains(files.errors.map(\.code)), "\(number): \(files.errors)")
    }
  }
}
