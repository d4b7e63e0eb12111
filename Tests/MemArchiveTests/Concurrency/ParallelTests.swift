import Foundation
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Entries, bytes, errors and limits are the same for any number of threads.
struct ParallelTests {
  private static let words = Bytes("one two three four five six seven eight nine ten ".utf8)

  private static func content(_ index: Int) -> Bytes {
    let size = index % 7 == 0 ? 700_000 : index * 37 % 20_000
    return Bytes((0..<size / words.count + 1).flatMap { _ in words }.prefix(size)) + [UInt8(index & 255)]
  }

  /// 400 entries, some of more than one block; those that are damaged have a wrong checksum.
  private static func archive(damaged: Set<Int> = []) -> Bytes {
    Zip.archive(
      (0..<400).map { .init("entry-\($0)", content($0), crc: damaged.contains($0) ? 1 : nil) })
  }

  private static let whole = archive()

  private func extract(
    _ bytes: Bytes, _ options: ExtractionOptions, _ parallelism: Int, _ isolation: Isolation
  ) throws -> MemFiles {
    var options = isolation.applied(to: options)
    options.parallelism = parallelism
    return try ArchiveReader(bytes: bytes).extract(options: options)
  }

  @Test(.slow, arguments: [2, 5], ExtractionOptions.Storage.allCases)
  func `Entries come in their order with their bytes`(
    _ parallelism: Int, _ storage: ExtractionOptions.Storage
  ) throws {
    for isolation in Isolation.allCases {
      let files = try extract(Self.whole, ExtractionOptions { $0.storage = storage }, parallelism, isolation)
      #expect(files.names == (0..<400).map { "entry-\($0)" })
      for (index, (_, file)) in files.enumerated() { #expect(try file.content == Self.content(index)) }
    }
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `The first damaged entry is the error`(_ isolation: Isolation) throws {
    let bytes = Self.archive(damaged: [123, 124, 301])
    for _ in 0..<20 {
      #expect { try extract(bytes, ExtractionOptions(), 4, isolation) } throws: {
        ($0 as? ArchiveError)?.code == .corrupt && ($0 as? ArchiveError)?.entry == "entry-123"
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Damaged entries are left out, in the archive's order`(_ isolation: Isolation) throws {
    let files = try extract(
      Self.archive(damaged: [0, 123, 399]), ExtractionOptions(onError: .keepGoing), 4, isolation)
    #expect(files.errors.map(\.entry) == ["entry-0", "entry-123", "entry-399"])
    #expect(files.count == 397)
    #expect(files.entries.count == 400)
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `A limit strikes at the same entry, to the byte`(_ isolation: Isolation) throws {
    let total = (0..<400).reduce(Int64(0)) { $0 + Int64(Self.content($1).count) }
    for limit in [total - 1, total / 2, 1_000_000, 0] {
      for limits in [ExtractionLimits(totalBytes: limit), ExtractionLimits(heldBytes: limit)] {
        let options = ExtractionOptions(limits: limits)
        let expected = #expect(throws: ArchiveError.self) { try extract(Self.whole, options, 1, .inProcess) }
        let error = #expect(throws: ArchiveError.self) { try extract(Self.whole, options, 4, isolation) }
        #expect("\(try #require(error))" == "\(try #require(expected))")
      }
    }
    // Including kept entries.
    let exact = ExtractionOptions(limits: ExtractionLimits(totalBytes: total, heldBytes: total + 1 << 20))
    #expect(try extract(Self.whole, exact, 4, isolation).count == 400)
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `The last of two entries with one name wins, whoever is ready first`(_ isolation: Isolation) throws {
    let large = Bytes(repeating: 7, count: 3_000_000)
    for _ in 0..<20 {
      let archive = Zip.archive(
        [.init("same", large), .init("same", [1])] + (0..<300).map { .init("x\($0)", [2]) })
      #expect(try extract(archive, ExtractionOptions(), 3, isolation)["same"]?.content == [1])
      #expect(
        try extract(archive, ExtractionOptions { $0.duplicates = .first }, 3, isolation)["same"]?.content
          == large)
    }
  }

  /// In a process of its own, because other tests have threads too.
  @Test func `No thread is left, however an extraction ends`() async {
    await #expect(processExitsWith: .success) {
      func threads() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count {
          (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == "memarchive\n"
        }
      }
      let damaged = ParallelTests.archive(damaged: [200])
      let compressed = Gzip.member(
        Tar.archive(Bytes((0..<32).flatMap { Tar.entry("\($0)", Bytes(repeating: 9, count: $0 * 100_001)) })))
      for round in 0..<30 {
        let bytes = round.isMultiple(of: 2) ? damaged : ParallelTests.whole
        let limits = round.isMultiple(of: 3) ? ExtractionLimits(totalBytes: 5_000_000) : ExtractionLimits()
        let options = ExtractionOptions {
          $0.limits = limits
          $0.parallelism = 4
        }
        _ = try? ArchiveReader(bytes: bytes).extract(options: options)
        // Large enough for a decoder's thread; it waits with full blocks when the stream is dropped.
        var stream = try ArchiveReader(bytes: compressed).stream(options: options)
        while let entry = try? stream.next() {
          guard entry.name != "\(round)", (try? stream.extract()) != nil else { break }
        }
        _ = consume stream
        // A joined thread is visible until the kernel has removed it.
        var tries = 0
        while try threads() > 0, tries < 100_000 {
          sched_yield()
          tries += 1
        }
        guard try threads() == 0 else { exit(1) }
      }
    }
  }

  /// Only in this process: a worker sends whole entries, and this one never ends.
  @Test func `A pipe that gives no more does not keep a dropped stream`() throws {
    let start = Gzip.member(Tar.archive(Tar.entry("first", Bytes(repeating: 9, count: 2_000_000)))).prefix(
      330_000)
    let ends = Pipe()
    Thread.detachNewThread { try? ends.fileHandleForWriting.write(contentsOf: Data(start)) }
    let descriptor = FileDescriptor(rawValue: ends.fileHandleForReading.fileDescriptor)
    var stream = try ArchiveReader(descriptor: descriptor).stream(
      options: ExtractionOptions { $0.parallelism = 2 })
    #expect(try stream.next()?.name == "first")
    let enough = ArchiveError(.cancelled, "so much was read that the decoder has a thread", advice: "")
    let error = #expect(throws: ArchiveError.self) {
      try stream.forEachBlock { (_, offset) throws(ArchiveError) in if offset > 264_000 { throw enough } }
    }
    #expect(error?.reason == enough.reason)
    _ = consume stream
  }

  @Test func `A cancelled extraction is complete or gone`() async throws {
    let path = try MemFile(name: "parallel-cancelled", bytes: Self.whole)
    for delay in 0..<20 {
      let task = Task {
        try await ArchiveReader(contentsOf: path).extract(options: ExtractionOptions { $0.parallelism = 4 })
      }
      try await Task.sleep(nanoseconds: UInt64(delay) * 1_000_000)
      task.cancel()
      switch await task.result {
      case .success(let files): #expect(files.count == 400)
      case .failure(let error): #expect((error as? ArchiveError)?.code == .cancelled)
      }
    }
  }
}
