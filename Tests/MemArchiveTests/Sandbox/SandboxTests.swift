// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// Extraction in a worker equals extraction in this process.
struct SandboxTests {
  /// The complete result of an extraction, or its error.
  private struct Result: Equatable {
    var files: [String: Bytes] = [:]
    var names: [String] = []
    var entries: [ArchiveEntry] = []
    var warnings: [ArchiveWarning] = []
    var errors: [String] = []
    var error: String?

    init(_ body: () throws -> MemFiles) throws {
      do {
        let files = try body()
        names = files.names
        entries = files.entries
        warnings = files.warnings
        errors = files.errors.map { "\($0)" }
        for (name, file) in files { self.files[name] = try file.content }
      } catch let error as ArchiveError {
        self.error = "\(error)"
      }
    }
  }

  private func expectSame(
    _ reader: ArchiveReader, _ selection: EntrySelection = .all,
    nested: ExtractionOptions.NestedArchives = .keep,
    _ options: ExtractionOptions = ExtractionOptions(formats: .all),
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var sandboxed = options
    sandboxed.sandbox = .required
    let expected = try Result { try reader.extract(selection, options: options.nested(nested)) }
    let found = try Result { try reader.extract(selection, options: sandboxed.nested(nested)) }
    #expect(found == expected, sourceLocation: sourceLocation)
  }

  @Test func `A name in a character set that lha declares is converted as in process`() throws {
    // Level 2, stored, with the extended headers CRC, name and code page (932).
    let bytes: Bytes = [
      0x31, 0x00, 0x2D, 0x6C, 0x68, 0x30, 0x2D, 0x06, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00,
      0x00, 0x00, 0xF1, 0x53, 0x65, 0x20, 0x02, 0x27, 0xB0, 0x4D, 0x05, 0x00, 0x00, 0x97,
      0x00, 0x0B, 0x00, 0x01, 0x8A, 0xBF, 0x8E, 0x9A, 0x2E, 0x74, 0x78, 0x74, 0x07, 0x00,
      0x46, 0xA4, 0x03, 0x00, 0x00, 0x00, 0x00, 0x6B, 0x61, 0x6E, 0x6A, 0x69, 0x0A, 0x00,
    ]
    let reader = ArchiveReader(bytes: bytes)
    #expect(try reader.extract(options: ExtractionOptions(formats: .all)).names == ["漢字.txt"])
    try expectSame(reader)
  }

  @Test(arguments: Fixture.all)
  func `A fixture is extracted as in process`(_ fixture: Fixture) throws {
    for storage in ExtractionOptions.Storage.allCases {
      try expectSame(
        ArchiveReader(path: fixture.path), .all,
        ExtractionOptions {
          $0.formats = .all
          $0.storage = storage
          $0.passphrases = ["secret", "password"]
        })
    }
  }

  @Test func `No limit at all is not the limit of file sizes`() throws {
    try expectSame(
      ArchiveReader(path: Fixture.path("zip-deflated.zip")), .all,
      ExtractionOptions(limits: ExtractionLimits(totalBytes: .max, heldBytes: .max, entryBytes: .max)))
  }

  @Test(arguments: Fixture.all)
  func `A fixture is streamed as in process`(_ fixture: Fixture) throws {
    func walk(_ sandbox: ExtractionOptions.Sandbox) throws -> [String] {
      var told: [String] = []
      do {
        let options = ExtractionOptions(formats: .all, sandbox: sandbox)
        var stream = try ArchiveReader(path: fixture.path).stream(options: options)
        told.append("comment \(stream.comment ?? "")")
        while true {
          do {
            guard let entry = try stream.next() else { break }
            told.append("\(entry)")
            if entry.hasContent, told.count % 3 != 0 { told.append(try sha256(stream.extract())) }
          } catch let error as ArchiveError {
            told.append("\(error)")
          }
          if told.count > 2000 { break }
        }
        told += stream.warnings.map { "\($0)" }
      } catch {
        told.append("\(error)")
      }
      return told
    }
    #expect(try walk(.required) == walk(.off))
  }

  @Test(arguments: ["tar-ustar.tar", "zip-deflated.zip", "cpio-newc.cpio", "7z-lzma2.7z"])
  func `Selections mean the same`(_ name: String) throws {
    let reader = ArchiveReader(path: Fixture.path(name))
    let names = try reader.entries().filter(\.hasContent).map(\.name)
    try #require(names.count > 1)
    try expectSame(reader, .names([names[1]]))
    try expectSame(reader, .names(["no such entry"]))
    try expectSame(reader, .glob("*e*"))
    try expectSame(reader, .matching { $0.name.utf8.count % 2 == 0 })
    try expectSame(reader, .matching { $0.kind == .symlink || $0.kind == .hardlink })
  }

  private static let words = Bytes("all work and no play makes a dull archive ".utf8)

  private static func content(_ index: Int) -> Bytes {
    Bytes((0..<(index % 11 == 0 ? 30_000 : index % 60)).flatMap { _ in words }) + [UInt8(index & 255)]
  }

  private static let zip = Zip.archive(
    (0..<300).map { .init("entry-\($0)", content($0), crc: $0 == 77 ? 1 : nil) })
  private static let tar =
    (0..<300).reduce(into: Bytes()) { $0 += Tar.entry("entry-\($1)", content($1)) } + Tar.end

  @Test(.slow, arguments: [1, 2, 5], ExtractionOptions.Storage.allCases)
  func `Many entries come in their order, on however many threads`(
    _ parallelism: Int, _ storage: ExtractionOptions.Storage
  ) throws {
    for bytes in [Self.zip, Self.tar, Gzip.deflated(Self.tar)] {
      try expectSame(
        ArchiveReader(bytes: bytes), .all,
        ExtractionOptions {
          $0.storage = storage
          $0.parallelism = parallelism
          $0.onError = .keepGoing
        })
      try expectSame(
        ArchiveReader(bytes: bytes), .matching { $0.name.hasSuffix("7") },
        ExtractionOptions {
          $0.storage = storage
          $0.parallelism = parallelism
          $0.onError = .keepGoing
        })
    }
  }

  /// The output of xz(1) for it.
  private static func xz(_ bytes: Bytes, _ flags: String...) throws -> Bytes {
    let file = try MemFile(name: "plain", bytes: bytes)
    return try file.withPath { path throws in
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["xz", "-0", "--stdout"] + flags
      process.standardInput = FileHandle(forReadingAtPath: path)
      let pipe = Pipe()
      process.standardOutput = pipe
      try process.run()
      let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      return Bytes(output)
    }
  }

  /// More than a MiB of it, packed.
  private static let noisyTar: Bytes = {
    var random = SplitMix(state: 7)
    let noise = (0..<400_000).flatMap { _ in withUnsafeBytes(of: random.next(), Bytes.init) }
    return Tar.archive(Tar.entry("noise", noise), Tar.entry("words", content(11)), Tar.entry("end", [1]))
  }()

  /// A worker has threads for blocks whose sizes are told, as `-T2` tells them; one-threaded xz tells none.
  @Test(.slow, arguments: [1, 2, 5])
  func `xz is decoded as in process, whatever its blocks tell, on however many threads`(_ parallelism: Int)
    throws
  {
    let sized = try Self.xz(Self.noisyTar, "-T2", "--block-size=1200KiB")
    let small = try Self.xz(Self.noisyTar, "-T2", "--block-size=256KiB")
    let unsized = try Self.xz(Self.noisyTar, "-T1")
    try #require(unsized.count > 1 << 20)
    var damaged = sized
    damaged[900_000] ^= 1
    let archives = [
      sized, small, unsized, sized + sized, sized + unsized, unsized + sized,
      unsized + Bytes(repeating: 0, count: 8)
        + small, damaged, Bytes(sized.dropLast(sized.count / 3)), Bytes(unsized.dropLast(1)), sized + [1],
      sized + [0], sized + [0, 0, 0, 0, 1],
    ]
    for archive in archives {
      for _ in 0..<3 {
        try expectSame(
          ArchiveReader(bytes: archive), .all, ExtractionOptions { $0.parallelism = parallelism })
      }
    }
  }

  @Test func `The first damaged entry is the error`() throws {
    try expectSame(ArchiveReader(bytes: Self.zip), .all, ExtractionOptions())
  }

  @Test func `Limits apply at the same entry, to the byte`() throws {
    let total = (0..<300).reduce(Int64(0)) { $0 + Int64(Self.content($1).count) }
    for limit in [total, total - 1, total / 2, 100_000, 0] {
      for limits in [
        ExtractionLimits(totalBytes: limit), ExtractionLimits(heldBytes: limit),
        ExtractionLimits(entryBytes: limit), ExtractionLimits(entries: 150),
        ExtractionLimits(nameBytes: 8),
      ] {
        try expectSame(ArchiveReader(bytes: Self.tar), .all, ExtractionOptions(limits: limits))
      }
    }
  }

  @Test func `Duplicates, links and what is inside archives are the same`() throws {
    let inner = Tar.archive(Tar.entry("x", [1, 2, 3]), Tar.entry("y", [4]))
    let tar = Tar.archive(
      Tar.entry("a", [1]), Tar.entry("a", [2]), Tar.entry("l", type: "2", link: "a"),
      Tar.entry("h", type: "1", link: "a"), Tar.entry("inner.tar", inner),
      Tar.entry("inner.tar.gz", Gzip.member(inner)))
    for duplicates in [ExtractionOptions.Duplicates.first, .last, .reject] {
      let options = ExtractionOptions { $0.duplicates = duplicates }
      try expectSame(ArchiveReader(bytes: tar), .all, options)
      try expectSame(ArchiveReader(bytes: tar), nested: .expand, options)
      try expectSame(ArchiveReader(bytes: tar), .names(["l", "h"]), options)
    }
  }

  @Test func `An archive is read from wherever it is`() throws {
    let bytes = try Fixture.bytes("tree.tar.gz")
    let expected = try ArchiveReader(bytes: bytes).extract()
    let options = ExtractionOptions(sandbox: .required)
    let pipe = FileDescriptor(rawValue: try pipe(filledWith: bytes))
    defer { try? pipe.close() }
    let file = try FileDescriptor.open(Fixture.path("tree.tar.gz"), .readOnly)
    defer { try? file.close() }
    let memory = try MemFile(name: "x", bytes: bytes)
    let once = ArchiveReader(descriptor: pipe)
    for reader in [
      ArchiveReader(bytes: bytes), once, ArchiveReader(descriptor: file),
      ArchiveReader(contentsOf: memory), ArchiveReader(paths: [FilePath(Fixture.path("tree.tar.gz"))]),
    ] {
      let files = try reader.extract(options: options)
      #expect(files.names == expected.names)
      for (name, file) in files { #expect(try file.content == expected[name]?.content) }
    }
    #expect(try file.seek(offset: 0, from: .current) == 0)
    let error = #expect(throws: ArchiveError.self) { try once.extract(options: options) }
    #expect(error?.code == .sourceConsumed)
  }

  @Test func `Received files are sealed, and the protection is reported`() throws {
    let files = try ArchiveReader(path: Fixture.path("zip-deflated.zip")).extract(
      options: ExtractionOptions(sandbox: .required))
    let protection = try #require(files.protection)
    #expect(protection.seccomp)
    #expect(try #require(protection.landlock) >= 1)
    for (_, file) in files { #expect(try file.seals.isSuperset(of: .final)) }
    #expect(try ArchiveReader(path: Fixture.path("zip-deflated.zip")).extract().protection == nil)
  }

  @Test func `A host that runs out of descriptors in the meantime still gets its files`() async {
    await #expect(processExitsWith: .success) {
      var limit = rlimit(rlim_cur: 2000, rlim_max: 2000)
      guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(1) }
      let archive =
        (0..<1500).reduce(into: Bytes()) { $0 += Tar.entry("f\($1)", [UInt8($1 & 255)]) } + Tar.end
      let selection = EntrySelection.matching { entry in
        // Descriptors opened elsewhere in this process.
        if entry.name == "f300" { for _ in 0..<1000 { _ = dup(0) } }
        return true
      }
      let files = try ArchiveReader(bytes: archive).extract(
        selection, options: ExtractionOptions(sandbox: .required))
      guard files.count == 1500, try files["f1499"]?.content == [UInt8(1499 & 255)] else { exit(2) }
      exit(0)
    }
  }

  @Test func `Progress is reported`() throws {
    let last = Last()
    let options = ExtractionOptions {
      $0.sandbox = .required
      $0.onProgress = { last.set($0) }
    }
    _ = try ArchiveReader(bytes: Self.tar).extract(options: options)
    #expect(last.value?.entries == 300)
    #expect(last.value?.bytesRead == Int64(Self.tar.count))
  }

  private final class Last: @unchecked Sendable {
    private let lock = NSLock()
    private var progress: ExtractionOptions.Progress?
    var value: ExtractionOptions.Progress? { lock.withLock { progress } }
    func set(_ progress: ExtractionOptions.Progress) { lock.withLock { self.progress = progress } }
  }

  @Test func `Without a worker there is an error, or a warning`() throws {
    let reader = ArchiveReader(path: Fixture.path("tree.tar.gz"))
    var options = ExtractionOptions {
      $0.sandbox = .required
      $0.worker = "/nowhere/worker"
    }
    let error = #expect(throws: ArchiveError.self) { try reader.extract(options: options) }
    #expect(error?.code == .sandboxUnavailable)
    #expect(error.map { "\($0)".contains("/nowhere/worker") } == true)
    options.sandbox = .bestEffort
    let files = try reader.extract(options: options)
    #expect(files.protection == nil)
    #expect(files.warnings.filter(\.concernsSandbox).count == 1)
    #expect(try files.names == reader.extract().names)
  }
}
#endif
