// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CFaults
import CLinux
import Foundation
import Glibc
import TestSupport
import Testing

@testable import MemArchive

private let archive = Tar.archive(Tar.entry("a", [1, 2, 3]))

/// The template in hosts that do what this library does not expect.
@Suite(.slow) struct TemplateTests {
  private static func reads() -> Bool {
    let options = ExtractionOptions(sandbox: .required)
    return (try? ArchiveReader(bytes: archive).extract(options: options)["a"]?.content) == [1, 2, 3]
  }

  private static func template() -> pid_t? {
    Family.children(of: "self").flatMap { Family.children(of: "\($0)") }.first
  }

  @Test func `One template serves all archives, each with a worker of its own`() async {
    await #expect(processExitsWith: .success) {
      var workers: Set<pid_t> = []
      var templates: Set<pid_t> = []
      for _ in 0..<20 {
        var stream = try ArchiveReader(bytes: archive).stream(options: ExtractionOptions(sandbox: .required))
        guard try stream.next() != nil, let family = Family.workers(named: "worker").first else { exit(1) }
        workers.insert(family.worker)
        templates.insert(family.template)
      }
      exit(workers.count == 20 && templates.count == 1 ? 0 : 2)
    }
  }

  @Test func `A prepared pool has its template before the first archive, or says nothing`() async {
    await #expect(processExitsWith: .success) {
      var options = ExtractionOptions()
      ExtractionPool.shared.prepare(for: options)
      options.sandbox = .required
      options.worker = "/nonexistent"
      ExtractionPool.shared.prepare(for: options)
      guard Self.template() == nil else { exit(1) }
      ExtractionPool.shared.prepare(for: ExtractionOptions(sandbox: .required))
      guard let template = Self.template(), Self.reads() else { exit(2) }
      exit(Self.template() == template ? 0 : 3)
    }
  }

  @Test func `A template outlives archives that cannot be opened, and extractions that are cancelled`() async
  {
    await #expect(processExitsWith: .success) {
      guard Self.reads(), let first = Self.template() else { exit(1) }
      let options = ExtractionOptions(sandbox: .required)
      guard (try? ArchiveReader(path: "/nonexistent").extract(options: options)) == nil else { exit(2) }
      for delay in 0..<40 {
        let context = ExtractionContext(options)
        let canceller = Thread {
          usleep(UInt32(delay) * 50)
          context.cancellation.cancel()
        }
        canceller.start()
        if var stream = try? ArchiveReader(bytes: archive).stream(in: context) { _ = try? stream.next() }
        while !canceller.isFinished { usleep(100) }
      }
      exit(Self.reads() && Self.template() == first ? 0 : 3)
    }
  }

  @Test func `A template of many archives has its code in huge pages, where the kernel can`() async {
    await #expect(processExitsWith: .success) {
      let step: UInt = 2 << 20
      for _ in 0..<30 { guard Self.reads() else { exit(1) } }
      guard let template = Self.template(),
        let maps = try? String(contentsOfFile: "/proc/\(template)/maps", encoding: .utf8)
      else { exit(2) }
      let code = maps.split(separator: "\n").filter { $0.contains(" r-xp ") && !$0.hasSuffix("]") }
      if code.contains(where: { $0.contains(" 00:00 0") }) { exit(Self.reads() ? 0 : 4) }
      // None is right where no mapping holds 2 MiB that the kernel would align so, as it may be with a shared runtime's small worker, or
      // where the kernel cannot, as it then cannot for this process either.
      let holds = code.contains { line in
        let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
        return line.hasSuffix("/memarchive-worker") && (ends[0] + step - 1) / step < ends[1] / step
      }
      guard !holds || clinux_use_huge_code() == 0 else { exit(3) }
      exit(Self.reads() ? 0 : 4)
    }
  }

  /// A lock of Swift's runtime has the number of the thread that holds it, which fork(2) changes.
  @Test func `Threads of a worker wait for each other in the runtime, and go on`() throws {
    let worker = try NamedWorker(trying: "contend")
    var options = ExtractionOptions(sandbox: .required)
    options.timeout = .seconds(60)
    options.worker = worker.path.string
    let reader = ArchiveReader(bytes: archive)
    // From the second on they are forked from a template that is warm.
    for _ in 0..<3 { #expect(try reader.extract(options: options)["a"]?.content == [1, 2, 3]) }
  }

  @Test(.timeLimit(.minutes(10)))
  func `A host that closes all descriptors gets another template, and keeps its own`() async {
    await #expect(processExitsWith: .success) {
      guard Self.reads(), let first = Self.template() else { exit(1) }
      for number in 3..<256 { close(CInt(number)) }
      // Files of the host's with the numbers that the library had.
      var own: [CInt] = []
      for _ in 0..<8 { own.append(open("/dev/null", O_RDONLY)) }
      guard Self.reads() else { exit(2) }
      for number in own where fcntl(number, F_GETFD) < 0 { exit(3) }
      Family.awaitEnd(of: first)
      exit(0)
    }
  }

  @Test(.timeLimit(.minutes(10))) func `A child that was forked from a host has a template of its own`() async
  {
    await #expect(processExitsWith: .success) {
      guard Self.reads(), let first = Self.template() else { exit(1) }
      let child = cfaults_fork()
      if child == 0 { _exit(Self.reads() ? 0 : 1) }
      var status: CInt = 0
      guard waitpid(child, &status, 0) == child, status == 0 else { exit(2) }
      guard Self.template() == first, Self.reads() else { exit(3) }
      exit(0)
    }
  }

  @Test(.timeLimit(.minutes(10)), .enabled(if: geteuid() == 0))
  func `A host that gives up its rights gets a template without them`() async {
    await #expect(processExitsWith: .success) {
      guard Self.reads(), let first = Self.template() else { exit(1) }
      guard setgid(61_235) == 0, setuid(61_235) == 0, Self.reads() else { exit(2) }
      Family.awaitEnd(of: first)
      guard let second = Self.template(),
        let status = try? String(contentsOfFile: "/proc/\(second)/status", encoding: .utf8),
        status.contains("Uid:\t61235\t61235\t61235\t61235")
      else { exit(3) }
      exit(0)
    }
  }

  @Test(.timeLimit(.minutes(10))) func `A template that is stopped delays one extraction, and is replaced`()
    async
  {
    await #expect(processExitsWith: .success) {
      guard Self.reads(), let first = Self.template() else { exit(1) }
      kill(first, SIGSTOP)
      let context = ExtractionContext(
        ExtractionOptions(sandbox: .required), hooks: .init(longestSilence: 300))
      var stream = try ArchiveReader(bytes: archive).stream(in: context)
      guard try stream.next() != nil, !Family.lives(first), Self.reads() else { exit(2) }
      exit(0)
    }
  }
}
#endif
