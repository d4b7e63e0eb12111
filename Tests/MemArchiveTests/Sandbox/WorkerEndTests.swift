// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CLinux
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// However a worker ends, this process is unharmed and notices soon.
@Suite(.serialized) struct WorkerEndTests {
  /// A pipe that holds `bytes`, stays open for writing, and gives no more.
  private final class Stalled {
    let reading: FileDescriptor
    let writing: FileDescriptor

    init(_ bytes: Bytes) throws {
      (reading, writing) = try FileDescriptor.pipe()
      try writing.writeAll(bytes)
    }

    deinit {
      try? reading.close()
      try? writing.close()
    }
  }

  private let worker: NamedWorker

  init() throws { worker = try NamedWorker() }

  private static let archive = Tar.archive(
    Tar.entry("a", [1, 2, 3]), Tar.entry("b", Bytes(repeating: 4, count: 100_000)))

  @Test func `A worker that is killed in the middle is an error`() throws {
    let stalled = try Stalled(Bytes(Self.archive.prefix(20_000)))
    var stream = try ArchiveReader(descriptor: stalled.reading).stream(options: worker.options)
    #expect(try stream.next()?.name == "a")
    let own = worker.processes
    try #require(own.count >= 1)
    for pid in own { kill(pid, SIGKILL) }
    let error = #expect(throws: ArchiveError.self) { try stream.next() == nil }
    #expect(error?.code == .workerFailed)
    #expect(error.map { "\($0)".contains("SIGKILL") } == true)
    #expect(try stream.next() == nil)
    for pid in own { #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)")) }
  }

  @Test func `A pipe that stalls ends with the timeout`() throws {
    let stalled = try Stalled(Bytes(Self.archive.prefix(20_000)))
    for sandbox in [ExtractionOptions.Sandbox.required, .off] {
      let reader = ArchiveReader(descriptor: stalled.reading)
      let options = ExtractionOptions(sandbox: sandbox, timeout: .milliseconds(300))
      let error = #expect(throws: ArchiveError.self) { try reader.extract(options: options) }
      #expect(error?.code == .timedOut)
    }
  }

  @Test func `An extraction that is cancelled leaves no worker`() async throws {
    let (reading, writing) = try FileDescriptor.pipe()
    defer {
      try? reading.close()
      try? writing.close()
    }
    let options = worker.options
    let task = Task { try await ArchiveReader(descriptor: reading).extract(options: options) }
    task.cancel()
    await #expect(throws: ArchiveError.self) { try await task.value.count == 0 }
    #expect(worker.processes.isEmpty)
  }

  @Test func `A stream that is dropped leaves no worker`() throws {
    let stalled = try Stalled(Bytes(Self.archive.prefix(20_000)))
    func open() throws {
      var stream = try ArchiveReader(descriptor: stalled.reading).stream(options: worker.options)
      #expect(try stream.next()?.name == "a")
      #expect(!worker.processes.isEmpty)
    }
    try open()
    #expect(worker.processes.isEmpty)
  }

  @Test func `A hundred workers leave neither descriptor nor process`() throws {
    let options = worker.options
    let reader = ArchiveReader(
      bytes: Tar.archive(
        Tar.entry("hundred-a", [1]), Tar.entry("hundred-b", Bytes(repeating: 2, count: 5000))))
    for _ in 0..<100 {
      #expect(try reader.extract(options: options)["hundred-a"]?.content == [1])
      #expect(throws: ArchiveError.self) { try ArchiveReader(bytes: [1, 2]).extract(options: options) }
    }
    #expect(worker.processes.isEmpty)
    #expect(OpenFiles(labelled: "hundred") == .none)
  }

  @Test func `A host that reaps everything does no harm`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      let options = ExtractionOptions(sandbox: .required)
      let archive = Tar.archive(Tar.entry("a", [1, 2, 3]))
      for _ in 0..<10 {
        let files = try ArchiveReader(bytes: archive).extract(options: options)
        guard try files["a"]?.content == [1, 2, 3] else { exit(1) }
      }
      signal(SIGCHLD, SIG_DFL)
      let thread = Thread { while true { _ = waitpid(-1, nil, 0) } }
      thread.start()
      for _ in 0..<30 {
        let files = try ArchiveReader(bytes: archive).extract(options: options)
        guard try files["a"]?.content == [1, 2, 3] else { exit(1) }
      }
      exit(0)
    }
  }
}
#endif
