import MemArchive
import SystemPackage
import TestSupport
import Testing

/// One stream of gzip around a tar: decoded once, and from then on from where an index says.
struct LazyIndexTests {
  /// Words, which are shorter when they are compressed and match across the points of an index: 6 MiB for each entry.
  private static let bodies = [UInt8](0..<4).map { seed in
    var state = UInt64(seed) &+ 1
    func random() -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 40)
    }
    let words = (0..<4096).map { _ in (0..<8).map { _ in UInt8(97 + random() % 26) } + [32] }
    var body: Bytes = []
    body.reserveCapacity(6 << 20 + 9)
    while body.count < 6 << 20 { body += words[random() & 4095] }
    return body
  }
  private static func tar(_ order: [Int]) -> Bytes {
    order.reduce(into: Bytes()) { $0 += Tar.entry("f\($1)", bodies[$1]) } + Tar.entry("s", [1, 2, 3])
      + Tar.end
  }
  private static let archive = Gzip.deflated(tar([0, 1, 2, 3]))
  private static let other = Gzip.deflated(tar([3, 2, 1, 0]))

  @Test(arguments: Isolation.allCases)
  func `What listing has noted leads to an entry, now and later`(_ isolation: Isolation) throws {
    let read = BytesRead()
    let options = read.options(isolation)
    let reader = ArchiveReader(bytes: Self.archive)
    let lazy = try reader.lazyFiles(options: options)
    #expect(read.value == Int64(Self.archive.count))
    let index = try #require(lazy.index)
    #expect(try index.seals.isSuperset(of: .final))
    // As from a file in which it was saved.
    let saved = try MemFile(name: "saved", bytes: index.content)
    let again = try reader.lazyFiles(index: saved, options: options)
    #expect(read.value < Self.archive.count * 3 / 4)
    #expect(again.entries == lazy.entries)
    for files in [lazy, again] {
      for number in [3, 1, 2, 0] {
        #expect(try files.file("f\(number)").content == Self.bodies[number])
        #expect(read.value < Self.archive.count * 3 / 4)
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `An index of another archive is an error`(_ isolation: Isolation) throws {
    let index = try #require(try ArchiveReader(bytes: Self.other).lazyFiles().index)
    for archive in [Self.archive, Self.tar([0]), Zip.archive(.init("a", [1])), Gzip.deflated(Self.bodies[0])]
    {
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: archive).lazyFiles(index: index, options: isolation.applied())
      }
      #expect(error?.code == .archiveChanged)
    }
  }

  /// - Parameter fixing: Whether the checksum of the index is made right again.
  private func isHarmless(
    _ index: Bytes, fixing: Bool, _ isolation: Isolation, _ place: Int
  ) throws -> Bool {
    var index = index
    if fixing { index = Bytes(index.dropLast(4)) + little(Gzip.checksum(Bytes(index.dropLast(4)))) }
    do {
      let file = try MemFile(name: "index", bytes: index)
      let lazy = try ArchiveReader(bytes: Self.archive).lazyFiles(index: file, options: isolation.applied())
      var isIntact = true
      for number in [0, 1, 2, 3] {
        do {
          let found = try lazy.file("f\(number)", keeping: false)
          #expect(try found.content == Self.bodies[number], "\(place)")
        } catch let error as ArchiveError {
          #expect([.corrupt, .truncated, .archiveChanged].contains(error.code), "\(place): \(error)")
          isIntact = false
        }
      }
      return isIntact
    } catch let error as ArchiveError {
      #expect([.corrupt, .truncated, .archiveChanged].contains(error.code), "\(place): \(error)")
      return false
    }
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `A changed byte of an index is an error, and never another content`(_ isolation: Isolation) throws {
    let lazy = try ArchiveReader(bytes: Self.archive).lazyFiles()
    let index = Bytes(try #require(lazy.index).content)
    #expect(try isHarmless(index, fixing: true, isolation, -1))
    let table = 48 + 32 * Int(index[36])
    let places = Array(0..<table) + [table, table + 5000, index.count - 40_000, index.count - 10]
    let step = isolation == .inProcess ? 3 : 31
    var harmless: [Int] = []
    for place in stride(from: 0, to: places.count, by: step).map({ places[$0] }) {
      var changed = index
      changed[place] ^= 1
      // Its own checksum tells of any accident.
      #expect(try !isHarmless(changed, fixing: false, isolation, place))
      if try isHarmless(changed, fixing: true, isolation, place) { harmless.append(place) }
    }
    // Padding, and a byte of a window that no match reaches into.
    #expect(harmless.allSatisfy { $0 >= table || ($0 >= 48 && ($0 - 48) % 32 >= 28) }, "\(harmless)")
    for count in [0, 1, 47, 48, table, index.count - 1] {
      #expect(try !isHarmless(Bytes(index[..<count]), fixing: count > 4, isolation, count))
    }
  }

  @Test(arguments: Isolation.allCases)
  func `What has no use for an index has none`(_ isolation: Isolation) throws {
    for archive in [
      Self.tar([0]), Gzip.deflated(Tar.archive(Tar.entry("small", [1]))), Gzip.deflated(Self.bodies[1]),
      // Of two members.
      Self.archive + Gzip.deflated([]),
    ] {
      let lazy = try ArchiveReader(bytes: archive).lazyFiles(options: isolation.applied())
      #expect(lazy.index == nil)
      for name in lazy.names { _ = try lazy.file(name) }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Where there is no room for an index, entries are decoded without`(_ isolation: Isolation) throws {
    var options = isolation.applied()
    options.limits.heldBytes = 200 << 10
    let lazy = try ArchiveReader(bytes: Self.archive).lazyFiles(options: options)
    #expect(lazy.index == nil)
    for _ in 0..<10 { #expect(try lazy.file("s", keeping: false).content == [1, 2, 3]) }
  }

  @Test(arguments: Isolation.allCases)
  func `Of several entries of one name in a compression the one is extracted that extract has`(
    _ isolation: Isolation
  ) throws {
    let tar = Tar.entry("d", [1]) + Tar.entry("f", Self.bodies[0]) + Tar.entry("d", [2]) + Tar.end
    for duplicates in [ExtractionOptions.Duplicates.first, .last] {
      var options = isolation.applied()
      options.duplicates = duplicates
      options.limits.heldBytes = 200 << 10
      let lazy = try ArchiveReader(bytes: Gzip.deflated(tar)).lazyFiles(options: options)
      #expect(try lazy.file("d").content == [duplicates == .first ? 1 : 2])
    }
  }
}
