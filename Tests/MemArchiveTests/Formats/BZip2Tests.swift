import MemArchive
import TestSupport
import Testing

/// Streams of bzip2 in a row, whose blocks several threads decode once they are not the first ones.
struct BZip2Tests {
  /// 643 bytes that decode to 277; blocks among them contain magic numbers.
  private let stream: Bytes

  init() throws { stream = try Fixture.bytes("odd/filters/bzip2-magic-in-block.bz2") }

  private static let count = 300
  /// `bzip2 -9` of 45,000,000 zeros: one block, far more content than its thread keeps.
  private static let zeros: Bytes = [
    0x42, 0x5A, 0x68, 0x39, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0xC9, 0x01, 0xB6, 0xC8, 0x01, 0x58, 0xAB,
    0x40, 0x20, 0xC0, 0x00, 0x10, 0x00, 0x00, 0x08, 0x20, 0x00, 0x30, 0xCC, 0x05, 0x29, 0xA6, 0x52, 0x48,
    0x52, 0x6C, 0x54, 0x92, 0x14, 0x9E, 0x2E, 0xE4, 0x8A, 0x70, 0xA1, 0x21, 0x92, 0x03, 0x6D, 0x90,
  ]
  private static let zeroCount = 45_000_000

  private static func repeated(_ bytes: Bytes) -> Bytes {
    Array(repeating: bytes, count: count).flatMap(\.self)
  }

  private static func content(_ bytes: Bytes, threads: Int) throws -> Bytes {
    let files = try ArchiveReader(bytes: bytes).extract(
      options: ExtractionOptions {
        $0.formats = .all
        $0.parallelism = threads
      })
    return try files["data"]?.content ?? []
  }

  @Test(arguments: [1, 2, 4])
  func `Blocks are cut at magic numbers, and never inside a block`(_ threads: Int) throws {
    let one = try Self.content(stream, threads: 1)
    #expect(one.count == 277)
    let many = Self.repeated(stream)
    let expected = Self.repeated(one)
    #expect(try Self.content(many, threads: threads) == expected)
    let more = try Self.content(many + Self.zeros + many, threads: threads)
    #expect(more == expected + Bytes(repeating: 0, count: Self.zeroCount) + expected)
  }

  @Test(.seeded, arguments: [1, 4])
  func `A stream that is damaged after many intact ones is never read as something else`(_ threads: Int)
    throws
  {
    var generator = SeededGenerator(stream: threads)
    let expected = Self.repeated(try Self.content(stream, threads: 1))
    for _ in 0..<16 {
      var many = Self.repeated(stream)
      // In the codes or the checksum of a late stream's last block; not of the last stream, whose codes may then go on to the
      // end of the file, as if it were cut.
      let number = Self.count - 2 - Int.random(in: 0..<8, using: &generator)
      let offset = (number + 1) * stream.count - 30
      many[offset + Int.random(in: 0..<29, using: &generator)] ^=
        1 << UInt8.random(in: 0..<8, using: &generator)
      do {
        // Two of these bits mean nothing, for bzip2(1) either.
        #expect(try Self.content(many, threads: threads) == expected)
      } catch let error as ArchiveError {
        #expect(error.code == .corrupt)
      }
    }
  }

  @Test(.seeded, arguments: [1, 4])
  func `A stream that is cut after many intact ones is truncated`(_ threads: Int) throws {
    let many = Self.repeated(stream)
    for cut in 1..<stream.count where cut % 16 == 1 {
      let error = #expect(throws: ArchiveError.self) {
        try Self.content(many.dropLast(cut) + [], threads: threads)
      }
      #expect(error?.code == .truncated, "\(cut) bytes fewer")
    }
  }
}
