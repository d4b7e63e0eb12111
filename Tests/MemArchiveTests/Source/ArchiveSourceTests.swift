import Glibc
import MemArchive
import Synchronization
import TestSupport
import Testing

/// Archives that the caller reads, in this process and for a sandboxed worker.
struct ArchiveSourceTests {
  private static let several = [
    "tar-sparse-pax-1.0.tar", "tree.tar.gz", "zip-3mib.zip", "zip-deflated.zip", "ar-package.deb",
    "big-blocks.tar.xz",
    "7z-lzma2.7z", "cpio-newc.cpio", "rpm-zstd.rpm",
  ]

  private func bytes(of file: MemFile) throws -> Bytes {
    try file.withBytes { $0.withUnsafeBytes { Bytes($0) } }
  }

  private func contents(_ files: MemFiles) throws -> [Bytes: Bytes] {
    try Dictionary(uniqueKeysWithValues: files.map { (Bytes($0.utf8), try bytes(of: $1)) })
  }

  @Test(arguments: several, Isolation.allCases)
  func `Each format is read as from a file`(_ name: String, _ isolation: Isolation) throws {
    let expected = try contents(ArchiveReader(path: Fixture.path(name)).extract())
    let bytes = try Fixture.bytes(name)
    let options = isolation.applied()
    #expect(try contents(ArchiveReader(source: Source(bytes)).extract(options: options)) == expected)
    #expect(
      try contents(ArchiveReader(source: Source(bytes, step: 1000)).extract(options: options)) == expected)
    #expect(try contents(ArchiveReader(source: AsyncSource(bytes)).extract(options: options)) == expected)
  }

  /// The content of each file, or the code of the error.
  private func outcome(_ reader: ArchiveReader) throws -> [Bytes: Bytes] {
    do { return try contents(reader.extract(options: ExtractionOptions(formats: .all))) } catch {
      guard let error = error as? ArchiveError else { throw error }
      return [Bytes("\(error.code)".utf8): []]
    }
  }

  @Test func `Each fixture is read as from a file`() throws {
    for fixture in Fixture.all {
      let source = Source(try fixture.bytes, name: fixture.file)
      #expect(
        try outcome(ArchiveReader(source: source)) == outcome(ArchiveReader(path: fixture.path)),
        "\(fixture.file)")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A tree, a stream and inner archives`(_ isolation: Isolation) throws {
    let options = isolation.applied()
    let reader = ArchiveReader(source: Source(try Fixture.bytes("ar-package.deb")))
    var nested = options
    nested.nestedArchives = .expand
    #expect(try reader.extract(options: nested).count > reader.extract(options: options).count)
    let tree = try ArchiveReader(source: Source(try Fixture.bytes("tree.tar.gz"))).tree(options: options)
    #expect(try tree.withPath(of: "tree/hello.txt") { try Bytes(contentsOfFile: $0) }.count == 21)
    var stream = try reader.stream(options: options)
    var size: Int64 = 0
    while try stream.next() != nil { size += try stream.forEachBlock { _, _ in } }
    #expect(size > 0)
  }

  @Test func `A lone file is named after the source`() throws {
    let source = Source(Gzip.member(Bytes("abc".utf8)), name: "dir/notes.txt.gz")
    let names = try ArchiveReader(source: source).extract().map(\.name)
    #expect(names == ["notes.txt"])
    #expect("\(ArchiveReader(source: source))".contains("notes.txt.gz"))
  }

  /// 40 MB in 400 entries.
  private static let large = Zip.archive(
    (0..<400).map { Zip.Entry("file\($0)", Bytes(repeating: UInt8(truncatingIfNeeded: $0), count: 100_000)) })

  @Test(arguments: Isolation.allCases)
  func `The directory of a zip and an entry take a few calls`(_ isolation: Isolation) throws {
    let listed = Source(Self.large)
    #expect(try ArchiveReader(source: listed).entries(options: isolation.applied()).count == 400)
    #expect(listed.calls.count <= 4, "\(listed.calls)")
    #expect(listed.bytesRead < Self.large.count / 100, "\(listed.calls)")

    let extracted = Source(Self.large)
    let files = try ArchiveReader(source: extracted).extract(.names("file200"), options: isolation.applied())
    #expect(try files["file200"].map { try bytes(of: $0) } == Bytes(repeating: 200, count: 100_000))
    #expect(extracted.calls.count <= 8, "\(extracted.calls)")
    #expect(extracted.bytesRead < Self.large.count / 50, "\(extracted.calls)")
  }

  @Test(arguments: Isolation.allCases)
  func `All of a large archive takes calls of a mebibyte`(_ isolation: Isolation) throws {
    let source = Source(Tar.archive(Tar.entry("a", Bytes(repeating: 7, count: 30 << 20))))
    #expect(try ArchiveReader(source: source).extract(options: isolation.applied())["a"]?.size == 30 << 20)
    #expect(source.calls.count < 50, "\(source.calls)")
    #expect(source.bytesRead < 33 << 20)
  }

  /// 1 MB in 10 entries.
  private static let medium = Zip.archive(
    (0..<10).map { Zip.Entry("file\($0)", Bytes(repeating: 1, count: 100_000)) })

  @Test(arguments: Isolation.allCases)
  func `All entries of a zip, on several threads, take large calls`(_ isolation: Isolation) throws {
    let source = Source(Self.large)
    var options = isolation.applied()
    options.parallelism = 4
    #expect(try ArchiveReader(source: source).extract(options: options).count == 400)
    #expect(source.calls.count < 150, "\(source.calls)")
    // Where a thread has fallen far behind, what it needs may have been dropped: at worst each of the four reads all.
    #expect(source.bytesRead < Self.large.count * 4, "\(source.calls)")
  }

  // MARK: What may be wrong

  private func error(
    _ reader: ArchiveReader, _ isolation: Isolation, timeout: Duration? = nil
  ) throws -> ArchiveError? {
    var options = isolation.applied()
    options.timeout = timeout
    do { _ = try reader.extract(options: options) } catch { return error }
    return nil
  }

  @Test(arguments: Isolation.allCases)
  func `What a source does wrong is an error`(_ isolation: Isolation) throws {
    let bytes = Self.medium
    func expect(
      _ code: ArchiveError.Code, _ reason: String, isAsync: [Bool] = [false, true],
      _ source: @autoclosure () -> Source, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      for isAsync in isAsync {
        let reader =
          isAsync ? ArchiveReader(source: AsyncSource(of: source())) : ArchiveReader(source: source())
        let error = try error(reader, isolation)
        #expect(error?.code == code, "\(error as Any)", sourceLocation: sourceLocation)
        #expect(error?.reason.contains(reason) == true, "\(error as Any)", sourceLocation: sourceLocation)
      }
    }
    try expect(.sourceFailed, "its size is -5", Source(bytes, size: -5))
    try expect(.truncated, "the source ends after", Source(bytes, size: Int64(bytes.count + 5000)))
    try expect(.truncated, "the source ends after", Source(bytes, end: 100_000))
    try expect(.truncated, "the source ends after", Source(bytes, end: 0))
    try expect(.sourceFailed, "Refusal", Source(bytes, failing: 0))
    try expect(.sourceFailed, "the volume is offline", Source(bytes, failing: 1))
    try expect(.sourceFailed, "it returned", Source(bytes, more: 1))
    try expect(.sourceFailed, "it returned -1", isAsync: [false], Source(bytes, more: -(1 << 40)))
    try expect(.sourceFailed, "it did not say its size", Source(bytes, size: nil))
  }

  @Test(arguments: ["tree.tar.gz", "zip-deflated.zip", "zip-3mib.zip", "7z-lzma2.7z"])
  func `A failure of any call is an error`(_ name: String) throws {
    let bytes = try Fixture.bytes(name)
    for isolation in Isolation.allCases {
      for onError in [ExtractionOptions.ErrorPolicy.stop, .keepGoing] {
        let honest = Source(bytes)
        _ = try ArchiveReader(source: honest).extract(options: isolation.applied())
        for call in honest.calls.indices {
          var options = isolation.applied()
          options.onError = onError
          let error = #expect(throws: ArchiveError.self) {
            try ArchiveReader(source: Source(bytes, failing: call)).extract(options: options)
          }
          #expect(error?.code == .sourceFailed)
        }
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `The time is over while a call waits`(_ isolation: Isolation) throws {
    for call in 0..<2 {
      let gate = Gate()
      let error = try error(
        ArchiveReader(source: Source(Self.medium, waiting: call, for: gate)), isolation,
        timeout: .milliseconds(700))
      #expect(error?.code == .timedOut)
      gate.open()
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Cancellation ends a call that waits`(_ isolation: Isolation) async throws {
    let source = AsyncSource(Self.medium, waiting: true)
    let task = Task { try await ArchiveReader(source: source).extract(options: isolation.applied()) }
    await source.hasBegun.wait()
    task.cancel()
    let error = await #expect(throws: ArchiveError.self) { try await task.value }
    #expect(error?.code == .cancelled)
    // Its own task is cancelled, too.
    await source.hasEnded.wait()
  }

  @Test(arguments: Isolation.allCases)
  func `No call is left when an extraction is`(_ isolation: Isolation) throws {
    // Read ahead of, and stopped after the first entry.
    let archive = Tar.archive(
      Tar.entry("a", Bytes(repeating: 1, count: 3 << 20)), Tar.entry("b", Bytes(repeating: 2, count: 9 << 20))
    )
    // Stored, and decoded on a thread of its own.
    let packed = Gzip.member(archive)
    for number in 0..<6 {
      let source = Source(number.isMultiple(of: 2) ? archive : packed)
      do {
        var stream = try ArchiveReader(source: source).stream(options: isolation.applied())
        _ = try stream.next()
        _ = try stream.extract()
      }
      #expect(source.running == 0)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `An entry's own header is compared when its content is read`(_ isolation: Isolation) throws {
    let archive = Zip.archive(
      .init("a", Bytes("abc".utf8)), .init("b", Bytes("def".utf8), localName: "c"), .init("d", [1]))
    let reader = ArchiveReader(source: Source(archive))
    let options = isolation.applied()
    #expect(try reader.entries(options: options).map(\.name) == ["a", "b", "d"])
    #expect(try reader.extract(.names("a"), options: options)["a"]?.string() == "abc")
    let error = #expect(throws: ArchiveError.self) { try reader.extract(options: options) }
    #expect(error?.code == .corrupt)
    #expect(error?.reason.contains("\"c\" in front of it") == true, "\(error as Any)")
    var keeping = options
    keeping.onError = .keepGoing
    #expect(try reader.extract(options: keeping).map(\.name).sorted() == ["a", "d"])
  }
}

/// The caller's own error.
private struct Refusal: Error, CustomStringConvertible {
  let description = "Refusal: the volume is offline"
}

/// Opened once.
private final class Gate: Sendable {
  private let semaphore = Semaphore()
  func open() { semaphore.post() }
  func pass() { semaphore.wait() }
}

@safe private final class Semaphore: @unchecked Sendable {
  private let pointer = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
  init() { sem_init(pointer, 0, 0) }
  deinit {
    sem_destroy(pointer)
    pointer.deallocate()
  }
  func post() { sem_post(pointer) }
  func wait() { sem_wait(pointer) }
}

/// An event that tasks wait for.
private final class Event: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation
  init() { (stream, continuation) = AsyncStream.makeStream() }
  func happen() { continuation.finish() }
  func wait() async { for await _ in stream {} }
}

/// A source in memory that notes what is asked of it, and does wrong what it is told to.
private final class Source: ArchiveSource {
  private let bytes: Bytes
  private let statedSize: Int64?
  private let end: Int
  private let step: Int
  private let failing: Int?
  private let more: Int
  private let waiting: Int?
  private let gate: Gate?
  let name: String?
  private let log = Mutex<(calls: [Range<Int>], running: Int)>(([], 0))

  init(
    _ bytes: Bytes, name: String? = nil, size: Int64? = .max, end: Int? = nil, step: Int = .max,
    failing: Int? = nil, more: Int = 0, waiting: Int? = nil, for gate: Gate? = nil
  ) {
    (self.bytes, self.name, self.step, self.failing, self.more) = (bytes, name, step, failing, more)
    (self.waiting, self.gate) = (waiting, gate)
    statedSize = size == .max ? Int64(bytes.count) : size
    self.end = end ?? bytes.count
  }

  var calls: [Range<Int>] { log.withLock { $0.calls } }
  var bytesRead: Int { calls.reduce(0) { $0 + $1.count } }
  var running: Int { log.withLock { $0.running } }

  var size: Int64 {
    get throws {
      guard let statedSize else { throw Refusal() }
      return statedSize
    }
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws -> Int {
    let range = Int(offset)..<Int(offset) + buffer.byteCount
    let call = log.withLock { log in
      log.calls.append(range)
      log.running += 1
      return log.calls.count - 1
    }
    defer { log.withLock { $0.running -= 1 } }
    if call == waiting { gate?.pass() }
    if call == failing { throw Refusal() }
    if more < -1000 { return -1 }
    let count = max(0, min(range.count, step, end - range.lowerBound))
    buffer.withUnsafeMutableBytes { $0.copyBytes(from: bytes[range.lowerBound..<range.lowerBound + count]) }
    return more > 0 ? range.count + more : count
  }
}

/// The same by calls that wait.
private final class AsyncSource: AsyncArchiveSource {
  private let source: Source
  private let waits: Bool
  let (hasBegun, hasEnded) = (Event(), Event())

  init(_ bytes: Bytes, waiting: Bool = false) { (source, waits) = (Source(bytes), waiting) }
  init(of source: Source) { (self.source, waits) = (source, false) }

  var size: Int64 {
    get async throws {
      await Task.yield()
      return try source.size
    }
  }

  func bytes(in range: Range<Int64>) async throws -> [UInt8] {
    if waits {
      hasBegun.happen()
      defer { hasEnded.happen() }
      try await Task.sleep(for: .seconds(3600))
    }
    await Task.yield()
    var bytes = Bytes(repeating: 0, count: range.count)
    let count = try bytes.withUnsafeMutableBytes { buffer in
      var span = buffer.mutableBytes
      return try source.read(at: range.lowerBound, into: &span)
    }
    guard count <= bytes.count else { return bytes + [0] }
    return Array(bytes.prefix(count))
  }
}
