import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

struct ArchiveWriterTests {
  /// Every kind of entry that a tar can hold, in no order.
  private static let everything = Tar.archive(
    Tar.entry("z/last", Bytes("last".utf8), mode: 0o4755),
    Tar.entry("z/link", type: "2", link: "last"),
    Tar.entry("dangling", type: "2", link: "../nowhere"),
    Tar.entry("a", Bytes("one".utf8), user: "somebody", userID: 1234, mode: 0o600),
    Tar.entry("b", type: "1", link: "a", user: "somebody", userID: 1234, mode: 0o600),
    Tar.entry("empty"),
    Tar.entry("pipe", type: "6"),
    Tar.entry("d/", type: "5", mode: 0o1777),
    Tar.pax("mtime", Bytes("-1.5".utf8)), Tar.entry("early", [1]),
    Tar.pax("mtime", Bytes("1700000000.123456789".utf8)), Tar.entry("exact", [2]),
    Tar.pax("path", Bytes("naïve/日本".utf8)), Tar.entry("x", [3]),
    Tar.pax("path", [0x66, 0xFF, 0xFE]), Tar.entry("x", [4]),
    Tar.pax("path", Bytes((String(repeating: "long/", count: 45) + "file").utf8)), Tar.entry("x", [5]),
    Tar.pax("path", Bytes((String(repeating: "n", count: 250)).utf8)), Tar.entry("x", [6]),
    Tar.pax("linkpath", Bytes(String(repeating: "t", count: 300).utf8)),
    Tar.entry("far", type: "2", link: "x"),
    Tar.pax("SCHILY.xattr.user.note", [0, 1, 10, 255]), Tar.entry("noted", [7]),
    Tar.pax("SCHILY.acl.access", Bytes("user::rw-,user:lp:r--,group::r--,mask::r--,other::---".utf8)),
    Tar.entry("listed", [8]))

  /// What must be the same afterwards.
  private struct Seen: Equatable, CustomStringConvertible {
    let name: [UInt8]
    let kind: ArchiveEntry.Kind
    let modified: ArchiveEntry.Time?
    let mode: UInt16?
    let link: String?
    let attributes: [ArchiveEntry.ExtendedAttribute]
    let list: String?
    let owner: Int64?
    let user: String?
    let content: Bytes?

    var description: String { "\(String(decoding: name, as: UTF8.self)) \(kind) \(link ?? "")" }
  }

  private func seen(_ reader: ArchiveReader, _ isolation: Isolation = .inProcess) throws -> [Seen] {
    let files = try reader.extract(options: isolation.applied())
    return try files.entries.map { entry in
      Seen(
        name: entry.rawName, kind: entry.kind, modified: entry.modified, mode: entry.mode, link: entry.link,
        attributes: entry.extendedAttributes, list: entry.accessControlList, owner: entry.userID,
        user: entry.user, content: entry.kind == .file ? try files[entry.name]?.content : nil)
    }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  @Test(arguments: ArchiveWriter.Compression.allCases, Isolation.allCases)
  func `A tar is read again with everything that was in it`(
    _ compression: ArchiveWriter.Compression, _ isolation: Isolation
  ) throws {
    let reader = ArchiveReader(bytes: Self.everything)
    let writer = ArchiveWriter(.tar(compression), options: .init { $0.owners = .kept })
    let archive = try writer.archive(of: try reader.extract(options: isolation.applied()))
    #expect(try archive.seals.isSuperset(of: [.write, .grow, .shrink, .seal]))
    #expect(try seen(ArchiveReader(contentsOf: archive), isolation) == (try seen(reader)))
    let names = try ArchiveReader(contentsOf: archive).entries().map(\.rawName)
    #expect(names == names.sorted { $0.lexicographicallyPrecedes($1) })
  }

  @Test(arguments: Isolation.allCases)
  func `A zip is read again with what it can hold`(_ isolation: Isolation) throws {
    let others = EntrySelection.excluding("pipe", "f*", "dangling")
    let files = try ArchiveReader(bytes: Self.everything).extract(others)
    let archive = try ArchiveWriter(.zip).archive(of: files)
    let again = try ArchiveReader(contentsOf: archive).extract(options: isolation.applied())
    #expect(again.warnings == [])
    #expect(again.names.sorted() == files.names.sorted())
    for entry in again.entries {
      let name = entry.isDirectory ? String(entry.name) : entry.name
      let before = try #require(files.entries.first { $0.name == name })
      #expect(entry.mode == before.mode)
      #expect(entry.modified?.seconds == before.modified?.seconds)
      #expect(entry.modified?.nanoseconds == (before.modified?.nanoseconds ?? 0) / 100 * 100)
      #expect(entry.kind == (before.kind == .hardlink ? .file : before.kind))
      if entry.kind == .symlink { #expect(entry.link == before.link) }
      #expect(try again[name]?.content == (try files[name]?.content))
    }
  }

  @Test func `The same files give the same bytes in any order, time zone and storage`() throws {
    let (one, two) = (Tar.entry("a", [1]), Tar.entry("b/c", Bytes(repeating: 2, count: 300_000)))
    let orders = [Tar.archive(one, two), Tar.archive(two, one)]
    for format in [ArchiveWriter.Format.zip, .tar(), .tar(.gzip), .tar(.xz), .tar(.zstd), .tar(.bzip2)] {
      let archives = try orders.flatMap { order in
        try [ExtractionOptions.Storage.packed, .dedicated].map { storage in
          let files = try ArchiveReader(bytes: order).extract(
            options: ExtractionOptions { $0.storage = storage })
          return try ArchiveWriter(format).archive(of: files).content
        }
      }
      #expect(Set(archives).count == 1)
    }
  }

  @Test func `Times and owners are fixed, and left out, as asked`() throws {
    let files = try ArchiveReader(bytes: Self.everything).extract()
    let time = ArchiveEntry.Time(seconds: 1_000_000_000)
    let archive = try ArchiveWriter(.tar(), options: .init { $0.modified = .fixed(time) }).archive(of: files)
    let entries = try ArchiveReader(contentsOf: archive).entries()
    #expect(Set(entries.map(\.modified)) == [time])
    #expect(entries.allSatisfy { $0.userID ?? 0 == 0 && $0.user == nil })
  }

  @Test func `What was not selected, and what was taken out, is not written`() throws {
    let reader = ArchiveReader(bytes: Self.everything)
    func names(_ files: MemFiles) throws -> [String] {
      try ArchiveReader(contentsOf: ArchiveWriter(.tar()).archive(of: files)).entries().map(\.name)
    }
    #expect(try names(reader.extract(.names("a", "z/last"))) == ["a", "z/last"])
    #expect(try names(reader.extract(.glob("z/*"))) == ["z/last", "z/link"])
    #expect(try names(reader.extract(.glob("d", "d/", "empty")).filter { $0.name != "empty" }) == ["d/"])
    var files = try reader.extract()
    files.removeAll()
    #expect(try names(files) == [])
    let own = MemFiles([try MemFile(name: "x/own", bytes: [1], mode: 0o640)])
    let archive = try ArchiveWriter(.zip).archive(of: own)
    #expect(try ArchiveReader(contentsOf: archive).entries().map(\.mode) == [0o640])
  }

  @Test(arguments: [
    ("3", ArchiveWriter.Format.tar(), "the numbers of a device"), ("4", .zip, "a zip has no"),
    ("6", .zip, "a zip has no"),
  ])
  func `What a format cannot hold is an error that names it`(
    _ type: Character, _ format: ArchiveWriter.Format, _ reason: String
  ) throws {
    let files = try ArchiveReader(bytes: Tar.archive(Tar.entry("odd", type: type))).extract()
    let error = #expect(throws: ArchiveError.self) { try ArchiveWriter(format).archive(of: files) }
    #expect(error?.code == .unsupportedFeature && error?.entry == "odd")
    #expect(error?.reason.contains(reason) == true)
  }

  @Test func `A name that is not UTF-8 is an error of a zip, and a level that is none of any format`() throws
  {
    let bytes = Tar.archive(Tar.pax("path", [0x66, 0xFF]), Tar.entry("x", [4]))
    let files = try ArchiveReader(bytes: bytes).extract()
    let error = #expect(throws: ArchiveError.self) { try ArchiveWriter(.zip).archive(of: files) }
    #expect(
      error?.code == .unsupportedFeature && error?.entry.map { ArchiveEntry.rawName(of: $0) } == [0x66, 0xFF])
    for format in [ArchiveWriter.Format.zip, .tar(), .tar(.gzip), .tar(.zstd), .tar(.xz)] {
      let writer = ArchiveWriter(format, options: .init { $0.level = 99 })
      let error = #expect(throws: ArchiveError.self) { try writer.archive(of: MemFiles([])) }
      #expect(error?.code == .unsupportedFeature)
    }
  }

  // MARK: Trees

  @Test(arguments: [ArchiveWriter.Format.tar(.zstd), .zip])
  func `A tree is written as it was changed`(_ format: ArchiveWriter.Format) throws {
    let archive = Tar.archive(
      Tar.entry("d/", type: "5", mode: 0o755), Tar.entry("d/old", Bytes("old".utf8)), Tar.entry("gone", [1]),
      Tar.entry("keep", [3]), Tar.entry("l", type: "2", link: "keep"))
    let tree = try ArchiveReader(bytes: archive).tree(writable: true)
    try tree.withPath { top in
      try "newer".write(toFile: top + "/d/old", atomically: false, encoding: .utf8)
      #expect(unlink(top + "/gone") == 0)
      #expect(link(top + "/keep", top + "/kept") == 0)
    }
    let again = try ArchiveReader(contentsOf: ArchiveWriter(format).archive(of: tree)).extract()
    #expect(Set(again.names) == ["d/old", "keep", "kept", "l"])
    #expect(try again["d/old"]?.text == "newer")
    #expect(try again["kept"]?.content == [3])
    let kept = again.entries.first { $0.name == "kept" }
    #expect(kept?.kind == (format == .zip ? .file : .hardlink))
    #expect(again.entries.first { $0.name == "l" }?.link == "keep")
  }

  @Test func `A tree and its files give the same archive`() throws {
    let archive = Tar.archive(
      Tar.entry("d/", type: "5", mode: 0o755), Tar.entry("d/one", [1], mode: 0o640),
      Tar.entry("d/two", type: "1", link: "d/one"),
      Tar.entry("d/three", type: "2", link: "one", mode: 0o777),
      Tar.entry("large", Bytes(repeating: 7, count: 700_000)))
    let reader = ArchiveReader(bytes: archive)
    let writer = ArchiveWriter(.tar(.gzip))
    #expect(
      try writer.archive(of: reader.tree()).content == (try writer.archive(of: reader.extract()).content))
  }

  // MARK: Descriptors

  private let files: MemFiles

  init() throws {
    var generator = SeededGenerator()
    let noise = (0..<400_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    files = MemFiles([
      try MemFile(name: "noise", bytes: noise), try MemFile(name: "text", bytes: "text".utf8),
    ])
  }

  @Test(.seeded, arguments: [false, true])
  func `A pipe with a slow reader gets the whole archive`(_ isNonblocking: Bool) throws {
    let pipe = try PipeEnds()
    if isNonblocking { #expect(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0) }
    #expect(
      try received(from: pipe.reading, writing: pipe.writing)
        == (try ArchiveWriter(.tar(.zstd)).archive(of: files).content))
  }

  @Test(.seeded) func `A socket with a slow reader gets the whole archive`() throws {
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
    #expect(
      try received(from: ends[0], writing: ends[1])
        == (try ArchiveWriter(.tar(.zstd)).archive(of: files).content))
  }

  /// What comes out of one end, in small pieces, while the archive is written to the other.
  private func received(from reading: CInt, writing: CInt) throws -> Bytes {
    let done = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var received: Bytes = []
    Thread.detachNewThread {
      var buffer = Bytes(repeating: 0, count: 700)
      while case let count = read(reading, &buffer, buffer.count), count > 0 {
        received += buffer[..<count]
        sched_yield()
      }
      done.signal()
    }
    let result = Result { try ArchiveWriter(.tar(.zstd)).write(files, to: FileDescriptor(rawValue: writing)) }
    close(writing)
    done.wait()
    close(reading)
    try result.get()
    return received
  }

  @Test(.seeded)
  func `A full disk, a reader that is gone and a descriptor that is none are errors of their own`() throws {
    let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
    try #require(full >= 0)
    defer { close(full) }
    let pipe = try PipeEnds()
    defer { close(pipe.writing) }
    close(pipe.reading)
    for (descriptor, errno, reason) in [
      (full, Errno.noSpace, "there is no room where the archive is written"),
      (pipe.writing, .brokenPipe, "the reader of the archive is gone"),
      (-1, .badFileDescriptor, "writing the archive failed"),
    ] {
      for format in [ArchiveWriter.Format.zip, .tar(), .tar(.xz), .tar(.gzip)] {
        let error = #expect(throws: ArchiveError.self) {
          try ArchiveWriter(format).write(files, to: FileDescriptor(rawValue: descriptor))
        }
        #expect(error?.code == .system && error?.errno == errno && error?.reason == reason)
      }
    }
  }

  @Test(.seeded, arguments: [ArchiveWriter.Format.zip, .tar(), .tar(.zstd)])
  func `A cancelled write ends while a pipe takes nothing`(_ format: ArchiveWriter.Format) async throws {
    let pipe = try PipeEnds()
    defer { [pipe.reading, pipe.writing].forEach { close($0) } }
    let (files, writing) = (files, pipe.writing)
    let task = Task { try await ArchiveWriter(format).write(files, to: FileDescriptor(rawValue: writing)) }
    #expect(await hasInput(pipe.reading))
    task.cancel()
    let error = await #expect(throws: ArchiveError.self) { try await task.value }
    #expect(error?.code == .cancelled)
  }

  /// Waits on a thread that no task needs.
  private func hasInput(_ descriptor: CInt) async -> Bool {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        continuation.resume(returning: poll(&state, 1, 600_000) == 1)
      }
    }
  }

  @Test(.seeded) func `Neither a cancelled nor a refused archive leaves anything in memory`() async throws {
    let files = files
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await ArchiveWriter(.tar(.zstd)).archive(of: files, named: "half-cancelled")
    }
    let cancelled = await #expect(throws: ArchiveError.self) { try await task.value }
    #expect(cancelled?.code == .cancelled)
    let refused = #expect(throws: ArchiveError.self) {
      try ArchiveWriter(.tar()).archive(
        of: files, named: "half-refused", limits: ExtractionLimits(heldBytes: 100_000))
    }
    #expect(refused?.code == .limitExceeded)
    #expect(OpenFiles(labelled: "half-") == .none)
  }

  // MARK: Other programs

  @Test func `Other programs read what is written`() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let files = try ArchiveReader(bytes: Self.everything).extract()
    let (tar, zip) = (directory.path + "/all.tar", directory.path + "/all.zip")
    let raw = ArchiveEntry.name(raw: [0x66, 0xFF, 0xFE])
    try ArchiveWriter(.tar()).archive(of: files).write(to: tar)
    let zipped = try ArchiveReader(bytes: Self.everything).extract(
      .matching { $0.name != raw && $0.kind != .fifo })
    try ArchiveWriter(.zip).archive(of: zipped).write(to: zip)
    for compression in ["gzip", "bzip2", "xz", "zstd"] {
      let format = ArchiveWriter.Compression.allCases.first { "\($0)" == compression } ?? .none
      let path = "\(directory.path)/all.\(compression)"
      try ArchiveWriter(.tar(format)).archive(of: files).write(to: path)
      let unpacked = try Command(ByteString(compression.utf8), "-dc", ByteString(path.utf8)).run()
      #expect(unpacked.output.values == (try Bytes(contentsOfFile: tar)))
    }
    let script = """
      import sys, tarfile, zipfile
      with tarfile.open(sys.argv[1]) as tar:
        assert tar.extractfile('b').read() == b'one' and tar.getmember('b').islnk()
        assert tar.extractfile('naïve/日本').read() == bytes([3])
        assert tar.getmember('exact').pax_headers['mtime'] == '1700000000.123456789'
        assert tar.getmember('early').mtime == -1.5
        assert tar.getmember('z/last').mode == 0o4755 and tar.getmember('pipe').isfifo()
        assert tar.getmember('far').linkname == 't' * 300
        print(len(tar.getmembers()))
      with zipfile.ZipFile(sys.argv[2]) as zip:
        assert zip.testzip() is None
        assert zip.read('naïve/日本') == bytes([3]) and zip.read('b') == b'one'
        print(len(zip.namelist()))
      """
    let python = try Command(
      "python3", "-c", ByteString(script.utf8), ByteString(tar.utf8), ByteString(zip.utf8)
    ).run()
    #expect(python == .done("\(files.entries.count)\n\(files.entries.count - 2)\n"))
    for program in [["tar", "--warning=no-unknown-keyword"], ["bsdtar"]] {
      let path = ByteString(tar.utf8)
      let program = program.map { ByteString($0.utf8) }
      let content = try Command(program + ["-xOf", path, "a", "z/last", "exact"]).run()
      #expect(content.output == "one\u{2}last" && content.end == .exit(0))
      let names = try Command(program + ["-tf", path]).run()
      #expect(names.end == .exit(0))
      #expect(names.output.values.count { $0 == 10 } == files.entries.count)
    }
    let unzip = try Command("unzip", "-tq", ByteString(zip.utf8)).run()
    #expect(unzip.end == .exit(0))
    let content = try Command("unzip", "-p", ByteString(zip.utf8), "a", "exact", "z/link").run()
    #expect(content.output == "one\u{2}last")
  }
}
