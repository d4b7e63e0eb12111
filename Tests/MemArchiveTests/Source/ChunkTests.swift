import Foundation
import MemArchive
import TestSupport
import Testing

/// Archives that arrive in chunks.
struct ChunkTests {
  private static let small = Tar.archive(Tar.entry("a", Bytes("one".utf8)), Tar.entry("b", Bytes("two".utf8)))
  /// Entries that are larger than a pipe and a chunk.
  private static let large = Tar.archive(
    Tar.entry("first", Bytes(repeating: 1, count: 300_000)),
    Tar.entry("second", Bytes(repeating: 2, count: 3_000_000)))

  private func packed(_ format: ArchiveWriter.Format) throws -> Bytes {
    try ArchiveWriter(format).archive(of: ArchiveReader(bytes: Self.large).extract()).content
  }

  @Test(
    arguments: [ArchiveWriter.Format.tar(), .tar(.gzip), .tar(.xz), .tar(.zstd), .tar(.bzip2), .zip],
    Isolation.allCases)
  func `Chunks of any size give the archive's entries`(
    _ format: ArchiveWriter.Format, _ isolation: Isolation
  ) async throws {
    let bytes = try packed(format)
    for size in [1000, 70_000, bytes.count] {
      let reader = ArchiveReader(chunks: Producer(bytes, size: size))
      let files = try await reader.extract(options: isolation.applied())
      #expect(try files["second"]?.content == Bytes(repeating: 2, count: 3_000_000))
      #expect(files.count == 2)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Any sequence of bytes is a chunk`(_ isolation: Isolation) async throws {
    let options = isolation.applied()
    let arrays = AsyncStream<Bytes> { continuation in
      for start in stride(from: 0, to: Self.small.count, by: 7) {
        continuation.yield(Bytes(Self.small[start...].prefix(7)))
      }
      continuation.finish()
    }
    #expect(try await ArchiveReader(chunks: arrays).extract(options: options).names == ["a", "b"])
    // These do not lie in one piece.
    let backwards = [Self.small[..<100], [], Self.small[100...]].map { Bytes($0.reversed() as [UInt8]) }
    let pieces = AsyncStream<ReversedCollection<Bytes>> { continuation in
      for piece in backwards { continuation.yield(piece.reversed()) }
      continuation.finish()
    }
    #expect(try await ArchiveReader(chunks: pieces).extract(options: options).names == ["a", "b"])
    let data = AsyncStream<Data> { continuation in
      continuation.yield(Data(Self.small))
      continuation.finish()
    }
    let reader = ArchiveReader(chunks: data, name: "x.tar")
    #expect("\(reader)" == "ArchiveReader(x.tar)")
    #expect(try await reader.extract(options: options).names == ["a", "b"])
  }

  @Test(arguments: Isolation.allCases)
  func `Entries come out while the rest has not arrived`(_ isolation: Isolation) async throws {
    let gate = Gate()
    // The first chunk has the first entry, and a part of the second.
    let producer = Producer(Self.large, size: 302_000, gate: gate)
    var iterator = ArchiveReader(chunks: producer).files(options: isolation.applied()).makeAsyncIterator()
    let first = try await iterator.next()
    #expect(first?.name == "first")
    gate.open()
    let second = try await iterator.next()
    #expect(second?.name == "second")
    let end = try await iterator.next()
    #expect(end == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `A producer is not asked for more than a pipe holds ahead`(_ isolation: Isolation) async throws {
    let producer = Producer(Self.large, size: 10_000)
    var iterator = ArchiveReader(chunks: producer).files(options: isolation.applied()).makeAsyncIterator()
    let first = try await iterator.next()
    #expect(first?.name == "first")
    // The reader's own blocks, what its decoders read ahead, the pipe and a chunk: of 330 chunks.
    #expect(producer.asked < 200)
    let second = try await iterator.next()
    #expect(second?.size == 3_000_000)
  }

  @Test(arguments: Isolation.allCases)
  func `A consumer that stops ends the producer`(_ isolation: Isolation) async throws {
    let producer = Producer(Self.large, size: 10_000, then: .never)
    for try await file in ArchiveReader(chunks: producer).files(options: isolation.applied()) {
      #expect(file.name == "first")
      break
    }
    await producer.over.wait()
  }

  @Test(arguments: Isolation.allCases)
  func `A cancelled task ends the producer, which has nothing to give`(_ isolation: Isolation) async throws {
    let producer = Producer(Bytes(Self.small.prefix(700)), then: .never)
    let task = Task { try await ArchiveReader(chunks: producer).extract(options: isolation.applied()) }
    while producer.asked < 2 { await Task.yield() }
    task.cancel()
    let error = await #expect(throws: ArchiveError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    await producer.over.wait()
  }

  @Test(arguments: Isolation.allCases, [ArchiveWriter.Format.tar(), .tar(.zstd), .zip])
  func `An error of the producer is the extraction's`(
    _ isolation: Isolation, _ format: ArchiveWriter.Format
  ) async throws {
    let bytes = try packed(format)
    // In the middle, and where an end would be one of the archive: after all of it but the last byte or two blocks.
    for count in [
      bytes.count / 2, bytes.count - (format == .tar() ? 1024 : 1), format == .tar() ? 512 * 590 : 0,
    ] {
      for keepsGoing in [false, true] {
        let producer = Producer(Bytes(bytes.prefix(count)), then: .failure)
        var options = isolation.applied()
        if keepsGoing { options.onError = .keepGoing }
        let error = await #expect(throws: ArchiveError.self) {
          try await ArchiveReader(chunks: producer).extract(options: options)
        }
        #expect(error?.code == .sourceFailed && error?.reason == "the archive's source failed: Broken()")
        await producer.over.wait()
      }
    }
    let producer = Producer(Bytes(bytes.prefix(700)), then: .archiveFailure)
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: producer).extract(options: isolation.applied())
    }
    #expect(error?.code == .unrecognizedFormat)
  }

  @Test(arguments: Isolation.allCases, [ArchiveWriter.Format.tar(), .tar(.zstd), .tar(.gzip), .zip])
  func `A producer that ends early gives a truncated archive`(
    _ isolation: Isolation, _ format: ArchiveWriter.Format
  ) async throws {
    let archive = try packed(format)
    let producer = Producer(Bytes(archive.prefix(archive.count / 2)))
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: producer).extract(options: isolation.applied())
    }
    #expect(error?.code == .truncated)
  }

  @Test(arguments: Isolation.allCases)
  func `What a producer does after the end of a tar is not waited for`(_ isolation: Isolation) async throws {
    let producer = Producer(Self.large, then: .never)
    #expect(try await ArchiveReader(chunks: producer).extract(options: isolation.applied()).count == 2)
    await producer.over.wait()
  }

  @Test(arguments: Isolation.allCases)
  func `A producer that never ends inside a compression is ended by the timeout`(_ isolation: Isolation)
    async throws
  {
    var options = isolation.applied()
    options.timeout = .milliseconds(300)
    let producer = Producer(try packed(.tar(.gzip)), then: .never)
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: producer).extract(options: options)
    }
    #expect(error?.code == .timedOut)
    await producer.over.wait()
  }

  @Test(arguments: Isolation.allCases)
  func `Chunks are read once`(_ isolation: Isolation) async throws {
    let reader = ArchiveReader(chunks: Producer(Self.small))
    #expect(try await reader.entries(options: isolation.applied()).count == 2)
    let error = await #expect(throws: ArchiveError.self) {
      try await reader.extract(options: isolation.applied())
    }
    #expect(error?.code == .sourceConsumed)
  }

  @Test func `Many archives arrive at once, more than tasks have threads`() async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<40 {
        group.addTask { try await ArchiveReader(chunks: Producer(Self.large, size: 30_000)).extract().count }
      }
      for try await count in group { #expect(count == 2) }
    }
  }

  @Test func `What needs its end first is bounded by the limits`() async throws {
    var options = ExtractionOptions(limits: ExtractionLimits(heldBytes: 100_000))
    options.sandbox = .off
    var noise = SeededGenerator()
    let bytes = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &noise) }
    let zip = try await ArchiveWriter(.zip).archive(of: MemFiles([MemFile(name: "noise", bytes: bytes)]))
      .content
    let producer = Producer(zip)
    let limits = options
    let error = await #expect(throws: ArchiveError.self) {
      try await ArchiveReader(chunks: producer).extract(options: limits)
    }
    #expect(error?.code == .limitExceeded)
    await producer.over.wait()
  }
}
