import Foundation
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Files with memory of their own and packed files differ only in what they cost.
struct StorageTests {
  /// Sizes on both sides of every boundary of the packing, more than one slab together.
  private static let sizes =
    [0, 1, 7, 8, 4095, 4096, 65_536, 262_143, 262_144, 262_145, 1 << 20, 1 << 20 + 1, 3 << 20 + 5]
    + Array(repeating: 900_001, count: 24)

  private static let contents: [Bytes] = sizes.enumerated().map { index, size in
    let noise = Bytes((0..<4099).map { UInt8(truncatingIfNeeded: $0 * (2 * index + 1) + $0 >> 8) })
    var content = Bytes()
    while content.count < size { content += noise.prefix(size - content.count) }
    return content
  }

  private static func content(_ index: Int) -> Bytes { contents[index] }

  private static let archive = Tar.archive(
    sizes.indices.reduce(into: []) { $0 += Tar.entry("file-\($1)", content($1)) })

  private func extract(
    _ bytes: Bytes, _ storage: ExtractionOptions.Storage, fill: ExtractionOptions.Fill = .automatic,
    _ isolation: Isolation
  ) throws -> MemFiles {
    try ArchiveReader(bytes: bytes).extract(
      options: isolation.applied(
        to: ExtractionOptions {
          $0.fill = fill
          $0.storage = storage
        }))
  }

  @Test(.slow, arguments: ExtractionOptions.Storage.allCases, ExtractionOptions.Fill.allCases)
  func `Every size comes out as it went in`(
    _ storage: ExtractionOptions.Storage, _ fill: ExtractionOptions.Fill
  ) throws {
    for isolation in Isolation.allCases {
      let files = try extract(Self.archive, storage, fill: fill, isolation)
      #expect(files.count == Self.sizes.count)
      for (index, (_, file)) in files.enumerated() {
        #expect(file.isPacked == (storage == .packed))
        #expect(try file.content == Self.content(index))
        #expect(try file.seals.isSuperset(of: .final))
      }
    }
  }

  @Test(.slow, arguments: Fixture.all, Isolation.allCases)
  func `Packed files have the names, bytes and errors of dedicated ones`(
    _ fixture: Fixture, _ isolation: Isolation
  ) throws {
    func outcome(_ storage: ExtractionOptions.Storage) throws -> [String] {
      let options = isolation.applied(
        to: ExtractionOptions {
          $0.storage = storage
          $0.onError = .keepGoing
        })
      do {
        let files = try ArchiveReader(path: Fixture.path(fixture.file)).extract(options: options)
        return try files.map { "\($0.name) \(try sha256($0.file))" } + files.errors.map { "\($0)" }
          + files.warnings.map { "\($0)" }
      } catch let error as ArchiveError {
        return ["\(error)"]
      }
    }
    #expect(try outcome(.packed) == outcome(.dedicated))
  }

  @Test(arguments: Isolation.allCases)
  func `A packed file gets a path on request, and then keeps it`(_ isolation: Isolation) throws {
    let files = try extract(Self.archive, .packed, isolation)
    for index in [0, 5, 9, 11, 12, 13] {
      let file = files[index].file
      let (path, number) = try (file.path, file.fileDescriptor.rawValue)
      #expect(!file.isPacked)
      #expect(path == "/proc/self/fd/\(number)")
      let read = try Bytes(#require(FileManager.default.contents(atPath: path)))
      #expect(read == Self.content(index))
      #expect(try file.path == path)
      #expect(try file.seals.isSuperset(of: .final))
      #expect(try file.content == read)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Many threads that ask for a path at once get the same one`(_ isolation: Isolation) async throws {
    let file = try extract(Self.archive, .packed, isolation)[10].file
    let paths = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<16 { group.addTask { try file.path } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(paths.count == 1)
  }

  @Test(arguments: Isolation.allCases)
  func `A file of a slab that is still being filled has a path, and reading goes on`(_ isolation: Isolation)
    throws
  {
    let options = isolation.applied(to: ExtractionOptions { $0.storage = .packed })
    var stream = try ArchiveReader(bytes: Self.archive).stream(options: options)
    var files: [MemFile] = []
    while try stream.next() != nil {
      let file = try stream.extract()
      if files.count.isMultiple(of: 3) { _ = try file.path }
      if files.count.isMultiple(of: 5) { #expect(try file.content.count == file.size) }
      files.append(file)
    }
    for (index, file) in files.enumerated() { #expect(try file.content == Self.content(index)) }
  }

  @Test(arguments: Isolation.allCases)
  func `Beyond the budget files are packed, and freed descriptors are used again`(
    _ isolation: Isolation
  ) throws {
    let ledger = Ledger(ExtractionLimits())
    let options = isolation.applied(to: ExtractionOptions { $0.descriptorBudget = 10 })
    let files = try ArchiveReader(bytes: Self.archive).extract(options: options)
    #expect(files.map { $0.file.isPacked } == Self.sizes.indices.map { $0 >= 10 })
    var stream = try ArchiveReader(bytes: Self.archive).stream(in: ExtractionContext(options, ledger: ledger))
    // Each is released before the next is made.
    while try stream.next() != nil { #expect(try !stream.extract().isPacked) }
  }

  @Test(arguments: Isolation.allCases)
  func `A slab's memory is held until the last of its files goes`(_ isolation: Isolation) throws {
    let content = Bytes(repeating: 1, count: 100_000)
    let archive = Tar.archive(Bytes((0..<10).flatMap { Tar.entry("held-\($0)", content) }))
    let options = isolation.applied(to: ExtractionOptions { $0.storage = .packed })
    let ledger = Ledger(ExtractionLimits(heldBytes: 1_000_000))
    func all() throws -> [MemFile] {
      var stream = try ArchiveReader(bytes: archive).stream(in: ExtractionContext(options, ledger: ledger))
      var files: [MemFile] = []
      while try stream.next() != nil { files.append(try stream.extract()) }
      return files
    }
    var files = try all()
    files.removeSubrange(1...)
    #expect(throws: ArchiveError.self) { try all() }
    // Its own memory file would exceed the held limit. Entries requested from a worker one by one have a slab each.
    if isolation == .inProcess {
      #expect { try files[0].path } throws: { ($0 as? ArchiveError)?.code == .limitExceeded }
    }
    files = []
    #expect(try all().count == 10)
  }

  @Test(arguments: Isolation.allCases)
  func `Compacting frees the memory of released files`(_ isolation: Isolation) throws {
    let content = Bytes(repeating: 1, count: 100_000)
    let archive = Tar.archive(Bytes((0..<100).flatMap { Tar.entry("held-\($0)", content) }))
    // The copies and the originals are held at once.
    let limits = ExtractionLimits(heldBytes: 10_300_000)
    var files = try ArchiveReader(bytes: archive).extract(
      options: isolation.applied(
        to: ExtractionOptions {
          $0.limits = limits
          $0.storage = .packed
        }))
    files.removeAll { name, _ in name != "held-3" && name != "held-40" }
    #expect(files.names == ["held-3", "held-40"])
    let before = try #require(files["held-3"])
    try files.compact()
    let after = try #require(files["held-3"])
    #expect(after !== before)
    #expect(after.isPacked)
    #expect(try after.content == content)
    #expect(try before.content == content)
    #expect(try files[1].file.content == content)
  }

  @Test(arguments: Isolation.allCases)
  func `A file that fails leaves the others of its slab as they are`(_ isolation: Isolation) throws {
    let archive = Zip.archive(
      .init("good-1", Bytes(repeating: 1, count: 5000)),
      .init("bad", Bytes(repeating: 2, count: 5000), crc: 1),
      .init("good-2", Bytes(repeating: 3, count: 5000)))
    let files = try ArchiveReader(bytes: archive).extract(
      options: isolation.applied(
        to: ExtractionOptions {
          $0.storage = .packed
          $0.onError = .keepGoing
        }))
    #expect(files.names == ["good-1", "good-2"])
    #expect(files.errors.map(\.entry) == ["bad"])
    #expect(try files[0].file.content == Bytes(repeating: 1, count: 5000))
    #expect(try files[1].file.content == Bytes(repeating: 3, count: 5000))
  }
}
