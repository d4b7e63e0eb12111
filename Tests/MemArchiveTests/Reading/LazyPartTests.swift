import MemArchive
import TestSupport
import Testing

/// Compression that can be begun at several places: what is asked for is decoded, with what is needed to verify it.
struct LazyPartTests {
  /// Ways in which a tar is compressed in parts of a mebibyte.
  enum Way: CaseIterable {
    #if FastDecoders
    case xz, xzOfSeveralStreams, zstdFrames, zstdTable
    #endif
    case bgzf

    func compressed(_ parts: [Bytes]) -> Bytes {
      switch self {
      #if FastDecoders
      case .xz: XZ.stream(parts)
      case .xzOfSeveralStreams: XZ.stream(Array(parts[..<5])) + [0, 0, 0, 0] + XZ.stream(Array(parts[5...]))
      case .zstdFrames: parts.reduce(into: Bytes()) { $0 += Zstd.frame($1) }
      case .zstdTable: Zstd.seekable(parts)
      #endif
      case .bgzf:
        parts.reduce(into: Bytes()) { bytes, part in
          var rest = part[...]
          while !rest.isEmpty {
            bytes += Gzip.blocked(Gzip.member(Bytes(rest.prefix(60_000))))
            rest = rest.dropFirst(60_000)
          }
        }
      }
    }
  }

  private static let bodies = [UInt8](0..<4).map { seed in
    (0..<7 << 19).map { UInt8(truncatingIfNeeded: $0 &* 29 &+ $0 >> 9) ^ seed }
  }
  private static let tar =
    bodies.indices.reduce(into: Bytes()) { $0 += Tar.entry("f\($1)", bodies[$1]) } + Tar.end
  private static let parts = stride(from: 0, to: tar.count, by: 1 << 20).map {
    Bytes(tar[$0..<min($0 + 1 << 20, tar.count)])
  }

  @Test(arguments: Isolation.allCases, Way.allCases)
  func `An entry is decoded from the part that it begins in`(_ isolation: Isolation, _ way: Way) throws {
    let archive = way.compressed(Self.parts)
    let read = BytesRead()
    let lazy = try ArchiveReader(bytes: archive).lazyFiles(options: read.options(isolation))
    #expect(read.value < 8 << 20)
    #expect(lazy.map(\.entry.size) == Self.bodies.map { Int64($0.count) })
    for index in [3, 1, 0, 2] {
      #expect(try lazy.file("f\(index)").content == Self.bodies[index])
      #expect(read.value > 7 << 19)
      #expect(read.value < 7 << 20)
    }
  }

  @Test(arguments: Isolation.allCases, Way.allCases)
  func `What is damaged in a part is found out by who reads it, and nobody else`(
    _ isolation: Isolation, _ way: Way
  ) throws {
    #if FastDecoders
    // These frames have no checksum.
    if way == .zstdFrames || way == .zstdTable { return }
    #endif
    var archive = way.compressed(Self.parts)
    // In the part in which the second entry ends and the third begins.
    let place = archive.count * 15 / 28
    archive[place] ^= 1
    let lazy = try ArchiveReader(bytes: archive).lazyFiles(options: isolation.applied())
    for index in [0, 3] { #expect(try lazy.file("f\(index)").content == Self.bodies[index]) }
    let error = #expect(throws: ArchiveError.self) { try lazy.file("f2") }
    #expect(error?.code == .corrupt)
    #expect(error?.entry == "f2")
  }

  #if FastDecoders
  /// What a table says of two parts inside the first entry in place of the truth: in all it is as much.
  enum Lie: CaseIterable {
    case content, packed

    func tell(_ sizes: inout [XZ.Sizes]) {
      switch self {
      case .content:
        sizes[1].content += 512
        sizes[2].content -= 512
      case .packed:
        sizes[1].packed += 64
        sizes[2].packed -= 64
      }
    }
  }

  @Test(arguments: Isolation.allCases, Lie.allCases)
  func `A table that lies is an error, and never another content`(
    _ isolation: Isolation, _ lie: Lie
  ) throws {
    for archive in [
      XZ.stream(Self.parts, index: lie.tell), Zstd.seekable(Self.parts, table: lie.tell),
    ] {
      let lazy = try ArchiveReader(bytes: archive).lazyFiles(options: isolation.applied())
      #expect(try lazy.file("f3").content == Self.bodies[3])
      let error = #expect(throws: ArchiveError.self) { try lazy.file("f0") }
      #expect(error?.code == .corrupt)
      #expect(error?.entry == "f0")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A table that cannot be is none, and its stream is read from its beginning`(
    _ isolation: Isolation
  ) throws {
    for change in [
      { $0[2].content += 1 << 31 }, { $0[2].packed += 4 }, { $0.removeLast() }, { $0.removeAll() },
    ] as [(inout [XZ.Sizes]) -> Void] {
      // The sequential decoder does not need this table.
      let zstd = ArchiveReader(bytes: Zstd.seekable(Self.parts, table: change))
      if let lazy = try? zstd.lazyFiles(options: isolation.applied()), let file = try? lazy.file("f1") {
        #expect(try file.content == Self.bodies[1])
      }
      // It compares the index with the blocks, at their end.
      let xz = ArchiveReader(bytes: XZ.stream(Self.parts, index: change))
      let error = #expect(throws: ArchiveError.self) {
        let lazy = try xz.lazyFiles(options: isolation.applied())
        for name in lazy.names { _ = try lazy.file(name) }
      }
      #expect(error?.code == .corrupt)
    }
  }
  #endif

  @Test func `What holds no archive that is read in order is read as ever`() throws {
    let zip = Zip.archive(.init("a", Self.parts[0]), .init("b", Self.parts[1]))
    for (content, name) in [(zip, "b"), (Self.parts[1], "data")] {
      let halves = [Bytes(content[..<(content.count / 2)]), Bytes(content[(content.count / 2)...])]
      for way in Way.allCases where "\(way)" != "xzOfSeveralStreams" {
        let lazy = try ArchiveReader(bytes: way.compressed(halves)).lazyFiles()
        #expect(try lazy.file(name).content == Self.parts[1])
      }
    }
  }
}
