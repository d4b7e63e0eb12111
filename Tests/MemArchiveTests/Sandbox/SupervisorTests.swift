import Foundation
import Glibc
import MemArchive
import Synchronization
import SystemPackage
import TestSupport
import Testing

private let archive = Tar.archive(
  Tar.entry("a", [1, 2, 3]), Tar.entry("b", Bytes(repeating: 4, count: 100_000)))

/// How often this process has received SIGCHLD.
private let signals = Atomic<Int>(0)

/// Whether wait(2) finds no child.
private func hasNoChild() -> Bool { waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD }

/// What stands between a host and its worker; each test in a process that has no children but these.
@Suite(.slow) struct SupervisorTests {
  @Test(.timeLimit(.minutes(10)))
  func `A host sees no child, neither during nor after the extraction, nor of a pool that it has released`()
    async
  {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD) { _ in signals.add(1, ordering: .relaxed) }
      var options = ExtractionOptions(sandbox: .required)
      func read() throws {
        var stream = try ArchiveReader(bytes: archive).stream(options: options)
        guard try stream.next()?.name == "a", Family.children(of: "self").count == 1, hasNoChild() else {
          exit(1)
        }
        guard try stream.extract().content == [1, 2, 3], hasNoChild() else { exit(2) }
      }
      for round in 0..<20 {
        if round.isMultiple(of: 5) { options.pool = ExtractionPool() }
        try read()
      }
      guard try ArchiveReader(bytes: archive).extract(options: options).count == 2, hasNoChild() else {
        exit(3)
      }
      // A program that cannot be started, and one that is not a worker.
      for worker in ["/nowhere", "/bin/true"] {
        var options = options
        options.worker = worker
        guard (try? ArchiveReader(bytes: archive).extract(options: options)) == nil, hasNoChild() else {
          exit(4)
        }
      }
      options.pool = ExtractionPool()
      guard signals.load(ordering: .relaxed) == 0, Family.children(of: "self").isEmpty else { exit(5) }
      // The handler is called for other children.
      kill(getpid(), SIGCHLD)
      while signals.load(ordering: .relaxed) == 0 { sched_yield() }
      exit(0)
    }
  }

  @Test func `A host that ignores SIGCHLD still learns how a worker ended`() async {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      var stream = try ArchiveReader(bytes: archive).stream(options: ExtractionOptions(sandbox: .required))
      guard try stream.next() != nil, let pair = Family.workers(named: "worker").first else { exit(1) }
      kill(pair.worker, SIGKILL)
      do { _ = try stream.next() } catch let error as ArchiveError {
        exit(error.code == .workerFailed && error.reason.contains("SIGKILL") ? 0 : 2)
      }
      exit(3)
    }
  }

  @Test(arguments: [false, true])
  func `A supervisor or template that is killed takes its worker along, is an error, and is replaced`(
    _ isTemplate: Bool
  ) async {
    await #expect(processExitsWith: .success) { [isTemplate] in
      var stream = try ArchiveReader(bytes: archive).stream(options: ExtractionOptions(sandbox: .required))
      guard try stream.next() != nil, let pair = Family.workers(named: "worker").first else { exit(1) }
      kill(isTemplate ? pair.template : pair.supervisor, SIGKILL)
      // Until the kernel has passed it on, the worker may still answer.
      Family.awaitEnd(of: pair.worker)
      do {
        _ = try stream.next()
        exit(2)
      } catch let error as ArchiveError {
        guard error.code == .workerFailed else { exit(3) }
      }
      guard !Family.lives(pair.template), hasNoChild() else { exit(4) }
      exit(
        try ArchiveReader(bytes: archive).extract(options: ExtractionOptions(sandbox: .required)).count == 2
          ? 0 : 5)
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: [false, true])
  func `Neither supervisor nor template nor worker outlives a host that is killed`(_ isStopped: Bool)
    async throws
  {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("pids-\(UUID().uuidString)").path
    defer { unlink(path) }
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, isStopped] in
      var stream = try ArchiveReader(bytes: archive).stream(options: ExtractionOptions(sandbox: .required))
      guard try stream.next() != nil, let pair = Family.workers(named: "worker").first else { exit(1) }
      try "\(pair.supervisor) \(pair.template) \(pair.worker)".write(
        toFile: path, atomically: false, encoding: .utf8)
      // A worker that cannot notice by itself.
      if isStopped { kill(pair.worker, SIGSTOP) }
      kill(getpid(), SIGKILL)
    }
    let processes = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ").compactMap {
      pid_t($0)
    }
    try #require(processes.count == 3)
    for process in processes { Family.awaitEnd(of: process) }
  }

  @Test func `A supervisor has no descriptor of the host's`() async {
    await #expect(processExitsWith: .success) {
      let (reading, writing) = try FileDescriptor.pipe()
      var stream = try ArchiveReader(bytes: archive).stream(options: ExtractionOptions(sandbox: .required))
      guard try stream.next() != nil, let pair = Family.workers(named: "worker").first else { exit(1) }
      let directory = "/proc/\(pair.supervisor)/fd"
      let open = try FileManager.default.contentsOfDirectory(atPath: directory)
      let targets = try open.map {
        try FileManager.default.destinationOfSymbolicLink(atPath: directory + "/" + $0)
      }
      // One each for worker and host, and one end of a socket.
      guard targets.count == 3, targets.filter({ $0.contains("[pidfd]") }).count == 2,
        targets.filter({ $0.hasPrefix("socket:") }).count == 1
      else { exit(2) }
      try writing.close()
      var byte: UInt8 = 0
      let count = try withUnsafeMutableBytes(of: &byte) { try reading.read(into: $0) }
      exit(count == 0 ? 0 : 3)
    }
  }

  /// It is killed while it starts, at an arbitrary point.
  @Test(.timeLimit(.minutes(10)))
  func `A supervisor that is killed while it starts a worker is an error or has no effect`() async {
    await #expect(processExitsWith: .success) {
      let isDone = Atomic<Bool>(false)
      let hasEnded = Atomic<Bool>(false)
      let killer = Thread {
        while !isDone.load(ordering: .relaxed) {
          for child in Family.children(of: "self") { kill(child, SIGKILL) }
        }
        hasEnded.store(true, ordering: .relaxed)
      }
      killer.start()
      var failures = 0
      for _ in 0..<60 {
        do {
          _ = try ArchiveReader(bytes: archive).extract(options: ExtractionOptions(sandbox: .required))
        } catch let error as ArchiveError {
          guard [.sandboxUnavailable, .workerFailed].contains(error.code) else { exit(1) }
          failures += 1
        }
      }
      isDone.store(true, ordering: .relaxed)
      while !hasEnded.load(ordering: .relaxed) { sched_yield() }
      guard failures > 0, hasNoChild() else { exit(2) }
      exit(
        try ArchiveReader(bytes: archive).extract(options: ExtractionOptions(sandbox: .required)).count == 2
          ? 0 : 3)
    }
  }
}
