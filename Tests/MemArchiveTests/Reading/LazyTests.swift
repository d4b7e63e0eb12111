import Foundation
import Glibc
import MemArchive
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What the readings of an archive have read of it, in bytes.
final class BytesRead: Sendable {
  private let last = Mutex<Int64>(0)

  func options(_ isolation: Isolation) -> ExtractionOptions {
    var options = isolation.applied()
    options.onProgress = { progress in self.last.withLock { $0 = progress.bytesRead } }
    return options
  }

  /// Of the last reading.
  var value: Int64 { last.withLock { $0 } }
}

/// Content when it is first asked for: the same as from an extraction, read by itself, under every promise.
struct LazyTests {
  private static func body(_ seed: UInt8, _ size: Int = 3 << 20) -> Bytes {
    (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) ^ seed }
  }

  /// Four entries of 3 MiB each.
  private static let bodies = [UInt8](0..<4).map { body($0) }
  private static let tar =
    bodies.indices.reduce(into: Bytes()) { $0 += Tar.entry("f\($1)", bodies[$1]) } + Tar.end
  private static let zip = Zip.archive(bodies.indices.map { .init("f\($0)", bodies[$0]) })
  private static let archives = ["tar": tar, "zip": zip]

  /// In a file of the test's own.
  private func with(_ bytes: Bytes, _ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      try bytes.write(to: "\(directory)/archive")
      try body("\(directory)/archive")
    }
  }

  @Test(.slow, arguments: Isolation.allCases)
  func `Every fixture gives lazily what it gives at once`(_ isolation: Isolation) throws {
    for fixture in Fixture.all {
      let reader = ArchiveReader(path: fixture.path)
      let files = try reader.extract(options: isolation.applied())
      let lazy = try reader.lazyFiles(options: isolation.applied())
      #expect(lazy.names == files.names, "\(fixture)")
      #expect(lazy.entries == files.entries, "\(fixture)")
      // From the last to the first, so that none follows another.
      for (name, entry) in lazy.reversed() {
        #expect(lazy[name] == entry)
        #expect(try lazy.file(name).content == files[name]?.content, "\(fixture): \(name)")
      }
    }
  }

  @Test(arguments: Isolation.allCases, ["tar", "zip"])
  func `An entry is read, and no other`(_ isolation: Isolation, _ format: String) throws {
    let bytes = try #require(Self.archives[format])
    let read = BytesRead()
    try with(bytes) { path in
      let lazy = try ArchiveReader(path: path).lazyFiles(options: read.options(isolation))
      #expect(read.value < 2 << 20)
      #expect(lazy.map(\.entry.size) == Self.bodies.map { Int64($0.count) })
      for index in [3, 0, 2] {
        #expect(try lazy.file("f\(index)").content == Self.bodies[index])
        #expect(read.value > 3 << 20)
        #expect(read.value < 4 << 20)
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A file is kept or not, as its caller says`(_ isolation: Isolation) throws {
    let lazy = try ArchiveReader(bytes: Self.zip).lazyFiles(options: isolation.applied())
    let first = try lazy.file("f1")
    #expect(try lazy.file("f1") === first)
    #expect(try lazy.file("f2", keeping: false) !== lazy.file("f2", keeping: false))
    lazy.release("f1")
    let second = try lazy.file("f1")
    #expect(second !== first)
    #expect(try second.content == first.content)
    lazy.releaseAll()
    #expect(try lazy.file("f1") !== second)
  }

  @Test(arguments: Isolation.allCases)
  func `Names lead through links, and errors say where they do not`(_ isolation: Isolation) throws {
    let archive = Tar.archive(
      Tar.entry("a", Bytes("one".utf8)), Tar.entry("d/", type: "5"), Tar.entry("h", type: "1", link: "a"),
      Tar.entry("s", type: "2", link: "h"), Tar.entry("out", type: "2", link: "/etc/passwd"),
      Tar.entry("a", Bytes("two".utf8)))
    let lazy = try ArchiveReader(bytes: archive).lazyFiles(options: isolation.applied())
    #expect(lazy.names == ["h", "s", "a"])
    #expect(try lazy.file("a").text == "two")
    #expect(try lazy.file("h").text == "one")
    #expect(try lazy.file("s") === lazy.file("h"))
    for (name, code) in [
      ("d/", .notAFile), ("out", .linkTargetUnavailable), ("b", .noSuchEntry),
    ] as [(String, ArchiveError.Code)] {
      let error = #expect(throws: ArchiveError.self) { try lazy.file(name) }
      #expect(error?.code == code)
      #expect(error?.entry == name)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Only what is selected has a name`(_ isolation: Isolation) throws {
    let lazy = try ArchiveReader(bytes: Self.tar).lazyFiles(.names("f2"), options: isolation.applied())
    #expect(lazy.names == ["f2"])
    #expect(try lazy.file("f2").content == Self.bodies[2])
    #expect(throws: ArchiveError.self) { try lazy.file("f1") }
    #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: Self.tar).lazyFiles(.names("x"), options: isolation.applied())
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A pipe is put into memory`(_ isolation: Isolation) throws {
    let reading = FileDescriptor(rawValue: try pipe(filledWith: Self.tar))
    let lazy = try ArchiveReader(descriptor: reading).lazyFiles(options: isolation.applied())
    try reading.close()
    #expect(try lazy.file("f3").content == Self.bodies[3])
    #expect(try lazy.file("f0").content == Self.bodies[0])
  }

  @Test(arguments: Isolation.allCases)
  func `A descriptor may be closed, and a path may lead elsewhere`(_ isolation: Isolation) throws {
    try with(Self.tar) { path in
      let descriptor = try FileDescriptor.open(FilePath(path), .readOnly)
      let byDescriptor = try ArchiveReader(descriptor: descriptor).lazyFiles(options: isolation.applied())
      try descriptor.close()
      let byPath = try ArchiveReader(path: path).lazyFiles(options: isolation.applied())
      try Tar.archive(Tar.entry("f1", Self.bodies[3])).write(to: path + ".new")
      try #require(rename(path + ".new", path) == 0)
      #expect(try byDescriptor.file("f1").content == Self.bodies[1])
      #expect(try byPath.file("f1").content == Self.bodies[1])
    }
  }

  /// How an archive is changed after it was listed, at its path.
  enum Change: CaseIterable {
    /// The same size, and another time.
    case touched
    case longer, shorter
    /// The same size and time, and other entries where these were.
    case swapped
  }

  @Test(arguments: Isolation.allCases, Change.allCases)
  func `An archive that has changed is an error, and never another content`(
    _ isolation: Isolation, _ change: Change
  ) throws {
    for (format, bytes) in Self.archives {
      try with(bytes) { path in
        let lazy = try ArchiveReader(path: path).lazyFiles(options: isolation.applied())
        #expect(try lazy.file("f0", keeping: false).content == Self.bodies[0])
        var status = stat()
        try #require(stat(path, &status) == 0)
        let file = try FileDescriptor.open(FilePath(path), .readWrite)
        defer { try? file.close() }
        switch change {
        case .touched: try file.writeAll(toAbsoluteOffset: 0, [bytes[0]])
        case .longer: try file.writeAll(toAbsoluteOffset: Int64(bytes.count), [0])
        case .shorter: try #require(ftruncate(file.rawValue, off_t(bytes.count - 1)) == 0)
        case .swapped:
          let swapped = Self.swapped(format)
          try #require(swapped.count == bytes.count)
          try file.writeAll(toAbsoluteOffset: 0, swapped)
        }
        if change == .touched || change == .swapped {
          var times = [status.st_atim, status.st_mtim]
          if change == .touched { times[1].tv_nsec ^= 1 }
          try #require(futimens(file.rawValue, times) == 0)
        }
        let error = #expect(throws: ArchiveError.self) { try lazy.file("f0") }
        #expect(error?.code == .archiveChanged, "\(format): \(String(describing: error))")
        #expect(error?.entry == "f0")
      }
    }
  }

  /// As long names and contents, by other entries.
  private static func swapped(_ format: String) -> Bytes {
    let other = [3, 2, 1, 0].map { (name: "f\($0)", body: bodies[$0]) }
    return format == "zip"
      ? Zip.archive(other.map { .init($0.name, $0.body) })
      : other.reduce(into: Bytes()) { $0 += Tar.entry($1.name, $1.body) } + Tar.end
  }

  /// A source that becomes another one.
  private final class Exchanged: ArchiveSource {
    private let current: Mutex<Bytes>

    init(_ bytes: Bytes) { current = Mutex(bytes) }

    var bytes: Bytes {
      get { current.withLock { $0 } }
      set { current.withLock { $0 = newValue } }
    }

    var size: Int64 { Int64(bytes.count) }

    func read(at offset: Int64, into buffer: inout MutableRawSpan) -> Int {
      let rest = bytes.dropFirst(Int(offset)).prefix(buffer.byteCount)
      buffer.withUnsafeMutableBytes { $0.copyBytes(from: rest) }
      return rest.count
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A source that has changed is an error, and never another content`(_ isolation: Isolation) throws {
    for (format, bytes) in Self.archives {
      for (what, other) in [
        ("longer", bytes + [0]), ("shorter", bytes.dropLast()), ("swapped", Self.swapped(format)),
      ] {
        let source = Exchanged(bytes)
        let lazy = try ArchiveReader(source: source).lazyFiles(options: isolation.applied())
        #expect(try lazy.file("f0", keeping: false).content == Self.bodies[0])
        source.bytes = other
        let error = #expect(throws: ArchiveError.self) { try lazy.file("f0") }
        #expect(error?.code == .archiveChanged, "\(format), \(what): \(String(describing: error))")
        source.bytes = bytes
        #expect(try lazy.file("f0").content == Self.bodies[0], "\(format), \(what)")
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Limits are of everything that is asked for`(_ isolation: Isolation) throws {
    var options = isolation.applied()
    options.limits.totalBytes = 10 << 20
    let lazy = try ArchiveReader(bytes: Self.zip).lazyFiles(options: options)
    for index in 0..<3 { #expect(try lazy.file("f\(index)", keeping: false).size == 3 << 20) }
    let error = #expect(throws: ArchiveError.self) { try lazy.file("f3") }
    #expect(error?.code == .limitExceeded)
    #expect(error?.entry == "f3")
    options.limits.totalBytes = nil
    options.limits.heldBytes = 7 << 20
    let held = try ArchiveReader(bytes: Self.zip).lazyFiles(options: options)
    _ = try (held.file("f0"), held.file("f1"))
    #expect(throws: ArchiveError.self) { try held.file("f2") }
    held.release("f0")
    #expect(try held.file("f2").content == Self.bodies[2])
  }

  @Test(arguments: Isolation.allCases)
  func `As many entries as there may be are read as often as they are asked for`(
    _ isolation: Isolation
  ) throws {
    var options = isolation.applied()
    options.limits.entries = 4
    for bytes in Self.archives.values {
      let lazy = try ArchiveReader(bytes: bytes).lazyFiles(options: options)
      for _ in 0..<3 { #expect(try lazy.file("f3", keeping: false).size == 3 << 20) }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Damage costs the entry, at each request`(_ isolation: Isolation) throws {
    let damaged = Zip.archive(.init("bad", [2], crc: 3), .init("good", [4]))
    let lazy = try ArchiveReader(bytes: damaged).lazyFiles(options: isolation.applied())
    for _ in 0..<2 {
      let error = #expect(throws: ArchiveError.self) { try lazy.file("bad") }
      #expect(error?.code == .corrupt)
      #expect(error?.entry == "bad")
    }
    #expect(try lazy.file("good").content == [4])
  }

  @Test(arguments: Isolation.allCases)
  func `Requests at the same time share one extraction`(_ isolation: Isolation) async throws {
    let lazy = try await ArchiveReader(bytes: Self.zip).lazyFiles(options: isolation.applied())
    let files = try await withThrowingTaskGroup { group in
      for index in 0..<16 { group.addTask { (index % 4, try await lazy.file("f\(index % 4)")) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(files.count == 16)
    for (index, file) in files {
      #expect(try await lazy.file("f\(index)") === file)
      #expect(try file.content == Self.bodies[index])
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A cancelled request leaves nothing, and concerns nobody else`(_ isolation: Isolation) async throws {
    let label = "lazy-cancelled-\(isolation)"
    let lazy = try await ArchiveReader(bytes: Tar.archive(Tar.entry(label, Self.bodies[0])))
      .lazyFiles(options: isolation.applied())
    let cancelled = (0..<8).map { _ in Task { try await lazy.file(label, keeping: false) } }
    let wanted = Task { try await lazy.file(label) }
    for task in cancelled { task.cancel() }
    for task in cancelled {
      switch await task.result {
      // It was done before.
      case .success(let file): #expect(try file.content == Self.bodies[0])
      case .failure(let error): #expect((error as? ArchiveError)?.code == .cancelled)
      }
    }
    #expect(try await wanted.value.content == Self.bodies[0])
    lazy.releaseAll()
  }

  @Test(arguments: Isolation.allCases)
  func `A request that finds no descriptor is an error, and a later one is answered`(
    _ isolation: Isolation
  ) async throws {
    let isSandboxed = isolation == .sandboxed
    await #expect(processExitsWith: .success) { [isSandboxed = isSandboxed as Bool] in
      try Self.askWithoutDescriptors((isSandboxed ? Isolation.sandboxed : .inProcess).applied())
    }
  }

  private static func askWithoutDescriptors(_ options: ExtractionOptions) throws {
    var options = options
    options.storage = .dedicated
    let lazy = try ArchiveReader(bytes: Tar.archive(Tar.entry("a", [1, 2, 3]))).lazyFiles(options: options)
    var all = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &all)
    var none = all
    none.rlim_cur = 3
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &none)
    let error = #expect(throws: ArchiveError.self) { try lazy.file("a") }
    #expect(error?.code == .descriptorLimit)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &all)
    #expect(try lazy.file("a").content == [1, 2, 3])
  }
}
