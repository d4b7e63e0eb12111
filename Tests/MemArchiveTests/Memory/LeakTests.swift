import CFaults
import Foundation
import Glibc
import MemArchive
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Whatever goes wrong, nothing is left behind.
struct LeakTests {
  @Test func `Thousands of failed extractions leave no descriptor and no mapping`() throws {
    let label = "leak-failed"
    let body = Bytes(repeating: 5, count: 3000)
    let good = Tar.entry(label + "-good", body)
    let failures: [Bytes] = [
      Bytes((good + Tar.entry(label + "-cut", body)).dropLast(1000)),
      Zip.archive(.init(label + "-a", body), .init(label + "-b", body, crc: 1)),
      Gzip.member(Tar.archive(good), crc: 1),
      Tar.archive(good, Tar.entry(label + "-bad", breakingChecksum: true)),
    ]
    for fill in ExtractionOptions.Fill.allCases {
      for round in 0..<2000 {
        let error = #expect(throws: ArchiveError.self) {
          try ArchiveReader(bytes: failures[round % failures.count]).extract(
            options: ExtractionOptions { $0.fill = fill })
        }
        #expect(error != nil)
      }
    }
    #expect(OpenFiles(labelled: label) == .none)
  }

  @Test func `A limit in the middle of an entry leaves nothing`() throws {
    let label = "leak-limit"
    for fill in ExtractionOptions.Fill.allCases {
      let options = ExtractionOptions {
        $0.limits = ExtractionLimits(entryBytes: 100_000)
        $0.fill = fill
      }
      let bomb = Gzip.member(Bytes(repeating: 0, count: 1_000_000), name: label)
      #expect(throws: ArchiveError.self) { try ArchiveReader(bytes: bomb).extract(options: options) }
    }
    #expect(OpenFiles(labelled: label) == .none)
  }

  @Test func `A stream that is abandoned closes its archive and its files`() throws {
    let label = "leak-abandoned"
    let source = try MemFile(name: label, bytes: Tar.archive(Tar.entry(label, [1]), Tar.entry(label, [2])))
    for _ in 0..<500 {
      try source.withPath { path in
        var stream = try ArchiveReader(path: path).stream()
        _ = try stream.next()
        _ = try stream.extract()
      }
    }
    #expect(OpenFiles(labelled: label).descriptors == 1)
  }

  @Test func `Releasing many files closes all except those held elsewhere`() throws {
    let label = "leak-removed"
    let names = (0..<2500).map { "\(label)-\($0)" }
    let archive = names.reduce(into: Bytes()) { $0 += Tar.entry($1, Bytes($1.utf8)) } + Tar.end
    var files = try ArchiveReader(bytes: archive).extract()
    let held = try [0, 900].map { try #require(files[names[$0]]) }
    #expect(OpenFiles(labelled: label).descriptors >= 100)
    files.removeAll()
    #expect(files.isEmpty && files[names[0]] == nil)
    #expect(files.entries.map(\.name) == names)
    #expect(OpenFiles(labelled: label).descriptors <= 2)
    #expect(try held.map { try $0.text } == [names[0], names[900]])
  }

  @Test(arguments: [1, 2, 7])
  func `Files are released with the last copy of their container, on as many threads as allowed`(
    _ threads: Int
  )
    throws
  {
    let label = "leak-copied-\(threads)-"
    let names = (0..<2500).map { "\(label)\($0)" }
    let archive = names.reduce(into: Bytes()) { $0 += Tar.entry($1, Bytes($1.utf8)) } + Tar.end
    var held: MemFile?
    do {
      var copy: MemFiles?
      do {
        var files = try ArchiveReader(bytes: archive).extract(
          options: ExtractionOptions { $0.parallelism = threads })
        held = files[names[3]]
        copy = files
        files.removeAll { name, _ in name == names[0] }
        #expect(files.count == 2499 && files[names[0]] == nil)
        files.removeAll()
        #expect(copy?.count == 2500)
      }
      for name in [names[0], names[2499]] { #expect(try copy?[name]?.text == name) }
      copy = nil
    }
    #expect(OpenFiles(labelled: label).descriptors == 1)
    #expect(try held?.text == names[3])
  }

  /// A host may fork(2) at any time: the child has its memory, and F_SEAL_WRITE is refused (EBUSY) while somebody has a
  /// writable map.
  @Test(.slow, arguments: ExtractionOptions.Fill.allCases.indices)
  func `A child that is forked in the middle keeps no file from being sealed`(
    _ fill: Int
  ) async {
    await #expect(processExitsWith: .success) { [fill = fill as Int] in
      let child = Mutex<pid_t?>(nil)
      let content = Bytes(repeating: 7, count: 16 << 20)
      let archive = Tar.archive(Tar.entry("large", content))
      let (reading, writing) = try FileDescriptor.pipe()
      Thread.detachNewThread {
        _ = try? writing.writeAll(archive[..<(8 << 20)])
        // There are at most ten reports per second.
        usleep(200_000)
        _ = try? writing.writeAll(archive[(8 << 20)...])
        try? writing.close()
      }
      let options = ExtractionOptions { options in

        options.fill = ExtractionOptions.Fill.allCases[fill]
        options.storage = .dedicated
        options.onProgress = { progress in
          guard progress.bytesRead >= 4 << 20 else { return }
          child.withLock { if $0 == nil { $0 = cfaults_fork_idle() } }
        }
      }
      let files = try ArchiveReader(descriptor: reading).extract(options: options)
      guard let child = child.withLock({ $0 }), child > 0, kill(child, SIGKILL) == 0 else { exit(1) }
      exit(try files["large"]?.content == content ? 0 : 2)
    }
  }

  @Test func `Extraction on many threads at once gives each its own`() async throws {
    let path = Fixture.path("tar-300-entries.tar.gz")
    let expected = try await ArchiveReader(path: path).extract().map { try $0.file.content }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<5 {
            let found = try await ArchiveReader(path: path).extract().map { try $0.file.content }
            guard found == expected else { return false }
          }
          return true
        }
      }
      for try await same in group { #expect(same) }
    }
  }

  @Test func `One file can be read by many threads from its first use on`() async throws {
    let file = try MemFile(name: "shared", bytes: Bytes(repeating: 2, count: 100_000))
    await withTaskGroup(of: Int.self) { group in
      for _ in 0..<16 {
        group.addTask { (try? file.withBytes { $0.withUnsafeBytes { $0.reduce(0) { $0 + Int($1) } } }) ?? -1 }
      }
      for await sum in group { #expect(sum == 200_000) }
    }
  }

  /// In a process of its own: the descriptor limit is shared.
  @Test func `Without a free descriptor the error says so, and the next extraction works`() async {
    await #expect(processExitsWith: .success) {
      let archive = Tar.archive(Tar.entry("a", [1]), Tar.entry("b", [2]))
      var taken: [Int32] = []
      while true {
        let descriptor = open("/dev/null", O_RDONLY)
        guard descriptor >= 0 else { break }
        taken.append(descriptor)
      }
      close(taken.removeLast())
      do {
        _ = try ArchiveReader(bytes: archive).extract(options: ExtractionOptions { $0.storage = .dedicated })
        exit(1)
      } catch let error as ArchiveError {
        guard error.code == .descriptorLimit, error.errno == .tooManyOpenFiles, error.entry == "b" else {
          exit(2)
        }
      }
      // A slab needs a free descriptor only for a moment; a path needs one permanently.
      let packed = try ArchiveReader(bytes: archive).extract()
      guard packed.count == 2, packed.allSatisfy({ $0.file.isPacked }), try packed["a"]?.content == [1] else {
        exit(4)
      }
      guard try packed["a"]?.path != nil, (try? packed["b"]?.path) == nil else { exit(5) }
      close(taken.removeLast())
      close(taken.removeLast())
      guard try ArchiveReader(bytes: archive).extract().count == 2 else { exit(3) }
    }
  }

  /// In a process of its own: the file size limit is shared.
  @Test func `A file size limit of the process is an error and not a signal`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      do {
        _ = try ArchiveReader(bytes: Tar.archive(Tar.entry("big", Bytes(repeating: 1, count: 20_000))))
          .extract()
        exit(1)
      } catch let error as ArchiveError {
        guard error.code == .limitExceeded, error.errno == .fileTooLarge else { exit(2) }
      }
    }
  }
}
