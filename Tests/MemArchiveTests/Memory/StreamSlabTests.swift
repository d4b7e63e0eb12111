import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Packed content that stays where it lies in the archive's own stream.
struct StreamSlabTests {
  private static func noise(_ count: Int, _ seed: Int) -> Bytes {
    let pattern = Bytes((0..<4099).map { UInt8(truncatingIfNeeded: $0 * (2 * seed + 1) + $0 >> 8) })
    var content = Bytes()
    content.reserveCapacity(count + pattern.count)
    while content.count < count { content += pattern }
    return Bytes(content.prefix(count))
  }

  private static func entries(_ sizes: [Int], from first: Int = 0) -> Bytes {
    sizes.enumerated().reduce(into: Bytes()) {
      $0 += Tar.entry("file-\(first + $1.offset)", noise($1.element, first + $1.offset))
    }
  }

  /// More than is looked at before slabs are filled.
  private static let start = entries(Array(repeating: 20_000, count: 40), from: 1000)

  /// Sizes on both sides of every boundary: cut by the ends of slabs, larger than one, tiny, empty.
  private static let mixed = Tar.archive(
    start
      + entries(
        Array(repeating: 60_000, count: 80) + [0, 0, 1, 511, 512, 513, 5 << 20, 1 << 20, 1 << 20 + 1]
          + Array(repeating: 9_001, count: 100) + Array(repeating: 3, count: 600)
          + Array(repeating: 100_000, count: 40) + [9 << 20, 100, 3 << 20, 100]
          + Array(repeating: 80_000, count: 60)))

  /// Some slabs of ordinary entries.
  private static let ordinary = Tar.archive(start + entries(Array(repeating: 50_000, count: 120)))

  private func options(
    _ storage: ExtractionOptions.Storage, _ parallelism: Int, _ isolation: Isolation,
    _ configure: (inout ExtractionOptions) -> Void = { _ in }
  ) -> ExtractionOptions {
    var options = isolation.applied(to: ExtractionOptions { $0.storage = storage })
    options.parallelism = parallelism
    configure(&options)
    return options
  }

  /// Names, content, errors and warnings.
  private func outcome(_ reader: ArchiveReader, _ options: ExtractionOptions) throws -> [String] {
    do {
      let files = try reader.extract(options: options)
      return try files.map { "\($0.name) \($0.file.size) \(try sha256($0.file))" }
        + files.errors.map { "\($0)" } + files.warnings.map { "\($0)" }
    } catch let error as ArchiveError {
      return ["\(error)"]
    }
  }

  private static let ways = Isolation.allCases.flatMap { isolation in [1, 4].map { (isolation, $0) } }

  /// Packed is as dedicated, and several threads as one, whatever the archive comes as.
  private func expectSame(
    _ bytes: Bytes, _ label: String, onError: ExtractionOptions.ErrorPolicy = .keepGoing
  ) throws {
    let file = try MemFile(name: label, bytes: bytes)
    for (form, reader) in [
      ("bytes", ArchiveReader(bytes: bytes)), ("file", ArchiveReader(path: try file.path)),
      ("gzip", ArchiveReader(bytes: Gzip.member(bytes))),
    ] {
      let expected = try outcome(reader, options(.dedicated, 1, .inProcess) { $0.onError = onError })
      for (isolation, parallelism) in Self.ways {
        for storage in [ExtractionOptions.Storage.dedicated, .packed]
        where storage == .packed || parallelism > 1 {
          let found = try outcome(reader, options(storage, parallelism, isolation) { $0.onError = onError })
          let difference = found.difference(from: expected).prefix(2)
          #expect(
            found == expected, "\(label) \(form) \(storage) \(isolation) \(parallelism) \(difference)")
        }
      }
    }
    withExtendedLifetime(file) {}
  }

  @Test(.slow) func `All sizes come out as they went in`() throws {
    try expectSame(Self.mixed, "slabs-mixed")
    let files = try ArchiveReader(bytes: Self.mixed).extract(options: options(.packed, 4, .inProcess))
    #expect(try files["file-3"]?.content == Self.noise(60_000, 3))
    #expect(files.allSatisfy { $0.file.isPacked })
  }

  @Test(.slow, arguments: Fixture.all.filter { $0.file.hasSuffix(".tar") })
  func `After much else, each fixture gives what it gives as dedicated files`(_ fixture: Fixture) throws {
    try expectSame(Self.start + fixture.bytes, fixture.file)
  }

  @Test(.slow) func `A stream that is cut has the same entries and the same error`() throws {
    for cut in [1, 1024, 1500, 30_000, 3_000_000] {
      for policy in ExtractionOptions.ErrorPolicy.allCases {
        try expectSame(Self.ordinary.dropLast(cut), "slabs-cut-\(cut)", onError: policy)
      }
    }
  }

  @Test(.slow) func `Damaged headers have their errors among the same files`() throws {
    let body = Self.noise(20_000, 7)
    let bad = Tar.entry("bad", body, breakingChecksum: true)
    let some = Self.entries(Array(repeating: 50_000, count: 60))
    try expectSame(Tar.archive(Self.start, bad, some, bad, bad, some), "slabs-damaged")
  }

  @Test(.slow, arguments: [1, 4], Isolation.allCases)
  func `A limit strikes at the same entry, to the byte`(_ parallelism: Int, _ isolation: Isolation) throws {
    let sizes = (0..<400).map { 20_000 + $0 * 37 }
    let archive = Tar.archive(Self.entries(sizes))
    let total = sizes.reduce(Int64(0)) { $0 + Int64($1) }
    for limit in [total - 1, total / 2, 1_000_000, 300_000, 0] {
      var all = [ExtractionLimits(totalBytes: limit), ExtractionLimits(entryBytes: 20_000 + limit / 1000)]
      // A worker learns with some delay what the host holds besides content.
      if isolation == .inProcess {
        all += [ExtractionLimits(heldBytes: limit), ExtractionLimits(heldBytes: limit + 1 << 20)]
      }
      for limits in all {
        let expected = try outcome(
          ArchiveReader(bytes: archive), options(.dedicated, 1, .inProcess) { $0.limits = limits })
        for bytes in [archive, Gzip.member(archive)] {
          let packed = options(.packed, parallelism, isolation) { $0.limits = limits }
          #expect(try outcome(ArchiveReader(bytes: bytes), packed) == expected)
        }
      }
    }
    // Including kept entries.
    let exact = options(.packed, parallelism, isolation) {
      $0.limits = ExtractionLimits(totalBytes: total, heldBytes: total + 1 << 20)
    }
    #expect(try ArchiveReader(bytes: archive).extract(options: exact).count == 400)
  }

  @Test(arguments: [1, 4], Isolation.allCases)
  func `An entry that claims to be huge is refused by its header`(
    _ parallelism: Int, _ isolation: Isolation
  ) throws {
    let huge = Tar.entry("huge", size: 8_000_000_000)
    let archive = Self.start + huge + Self.noise(1 << 20, 3)
    let limits = ExtractionLimits(heldBytes: 64 << 20)
    for bytes in [archive, Gzip.member(archive)] {
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: bytes).extract(
          options: options(.packed, parallelism, isolation) { $0.limits = limits })
      }
      #expect(error?.code == .limitExceeded)
      #expect(error?.entry == "huge")
    }
  }

  // MARK: Where content lies

  /// The distance of each file's content from that of the one before it.
  private func distances(_ files: MemFiles) throws -> [Int] {
    let addresses = try files.map { file in
      try file.file.withBytes { bytes in bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) } }
    }
    return zip(addresses.dropFirst(), addresses).map { $0 - $1 }
  }

  @Test(arguments: ways)
  func `Content stays where it lies, after its header`(_ isolation: Isolation, _ parallelism: Int) throws {
    let archive = Tar.archive(Self.entries(Array(repeating: 20_000, count: 500)))
    for bytes in [archive, Gzip.member(archive)] {
      let files = try ArchiveReader(bytes: bytes).extract(options: options(.packed, parallelism, isolation))
      let inPlace = try distances(files).count { $0 == 512 + 20_480 }
      #expect(inPlace > 400)
      let aligned = try files.allSatisfy { file in
        try file.file.withBytes { bytes in bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) % 8 == 0 }
        }
      }
      #expect(aligned)
    }
  }

  @Test(arguments: ways)
  func `Tiny entries are copied from among their headers`(_ isolation: Isolation, _ parallelism: Int) throws {
    let archive = Tar.archive(Self.start + Self.entries(Array(repeating: 100, count: 3000)))
    for bytes in [archive, Gzip.member(archive)] {
      let files = try ArchiveReader(bytes: bytes).extract(options: options(.packed, parallelism, isolation))
      #expect(try distances(files).count { $0 == 104 } > 2000)
    }
  }

  @Test(arguments: ways)
  func `A few among many are copied`(_ isolation: Isolation, _ parallelism: Int) throws {
    let archive = Tar.archive(Self.entries(Array(repeating: 20_000, count: 1000)))
    let few = EntrySelection.names(
      (0..<1000).filter { $0 < 100 || $0.isMultiple(of: 10) }.map { "file-\($0)" })
    for bytes in [archive, Gzip.member(archive)] {
      let files = try ArchiveReader(bytes: bytes).extract(
        few, options: options(.packed, parallelism, isolation))
      #expect(files.count == 190)
      #expect(try distances(files).suffix(80).count { $0 == 20_000 } > 50)
    }
  }

  @Test(arguments: ways)
  func `What is kept beside content is at most an eighth of it`(
    _ isolation: Isolation, _ parallelism: Int
  ) throws {
    // Every average between one that fits and one that does not.
    for size in [20_000, 6200, 5000, 3000] {
      let archive = Tar.archive(Self.entries((0..<20_000_000 / size).map { size - $0 % 100 }))
      let files = try ArchiveReader(bytes: Gzip.member(archive)).extract(
        options: options(.packed, parallelism, isolation))
      let text = try String(decoding: Bytes(contentsOfFile: "/proc/self/maps"), as: UTF8.self)
      let maps = text.split(separator: "\n").map {
        $0.split(separator: " ")[0].split(separator: "-").compactMap { Int($0, radix: 16) }
      }
      var slabs: [Int: Int] = [:]
      var content = 0
      for (_, file) in files {
        content += file.size
        let address = try file.withBytes { bytes in
          bytes.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
        }
        let map = try #require(maps.first { $0[0] <= address && address < $0[1] })
        slabs[map[0]] = map[1] - map[0]
      }
      let mapped = slabs.values.reduce(0, +)
      // Less the last page of each.
      #expect((mapped - slabs.count * 4096 - content) * 8 <= content, "\(size): \(mapped) for \(content)")
    }
  }

  // MARK: Sources

  @Test(arguments: [1, 4])
  func `What has been sealed does not change with the archive`(_ parallelism: Int) throws {
    let path = NSTemporaryDirectory() + "stream-slabs-\(getpid())-\(parallelism).tar"
    defer { unlink(path) }
    let archive = Tar.archive(Self.entries(Array(repeating: 10_000, count: 200)))
    try Data(archive).write(to: URL(fileURLWithPath: path))
    let writer = open(path, O_WRONLY)
    defer { close(writer) }
    let stride = 512 + 10_240
    let junk = Bytes(repeating: 0xEE, count: 10_000)
    // The slab begins behind what was looked at, less than forty entries, and has a MiB.
    let selection = EntrySelection.matching { entry in
      if entry.name == "file-60" {
        for index in 62..<110 { pwrite(writer, junk, junk.count, off_t(index * stride + 512)) }
      }
      return true
    }
    let files = try ArchiveReader(path: path).extract(
      selection, options: options(.packed, parallelism, .inProcess))
    for index in 62..<110 { #expect(try files["file-\(index)"]?.content == Self.noise(10_000, index)) }
  }

  @Test(arguments: ways)
  func `A pipe that its writer keeps open is read to the archive's end`(
    _ isolation: Isolation, _ parallelism: Int
  ) throws {
    let archive = Tar.archive(Self.entries(Array(repeating: 20_000, count: 300)))
    let ends = Pipe()
    Thread.detachNewThread { try? ends.fileHandleForWriting.write(contentsOf: Data(archive)) }
    let descriptor = FileDescriptor(rawValue: ends.fileHandleForReading.fileDescriptor)
    let files = try ArchiveReader(descriptor: descriptor).extract(
      options: options(.packed, parallelism, isolation))
    #expect(files.count == 300)
    #expect(try files["file-299"]?.content == Self.noise(20_000, 299))
    try ends.fileHandleForWriting.close()
  }

  /// In a process of its own, because other tests have threads and files too.
  @Test func `However an extraction ends, no thread and no descriptor is left of what was read ahead`() async
  {
    await #expect(processExitsWith: .success) {
      func threads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count {
          (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == "memarchive\n"
        }
      }
      let archive = Tar.archive(StreamSlabTests.entries(Array(repeating: 100_000, count: 300)))
      for bytes in [archive, Gzip.member(archive)] {
        let file = try MemFile(name: "ahead", bytes: bytes)
        let path = try file.path
        for round in 0..<40 {
          let options = ExtractionOptions {
            $0.storage = .packed
            $0.parallelism = 4
            if round.isMultiple(of: 2) { $0.limits = ExtractionLimits(totalBytes: Int64(round) << 20) }
          }
          let task = Task { try await ArchiveReader(path: path).extract(options: options).count }
          if !round.isMultiple(of: 2) {
            try await Task.sleep(nanoseconds: UInt64(round) * 500_000)
            task.cancel()
          }
          _ = await task.result
          var tries = 0
          while try threads() > 0 || OpenFiles(labelled: "slab") != .none, tries < 10_000 {
            sched_yield()
            tries += 1
          }
          guard try threads() == 0, OpenFiles(labelled: "slab") == .none else { exit(1) }
        }
        withExtendedLifetime(file) {}
      }
    }
  }
}
