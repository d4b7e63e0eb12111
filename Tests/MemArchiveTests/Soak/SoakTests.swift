import CFaults
import Foundation
import MemArchive
import TestSupport
import Testing

/// Every fixture, extracted in every way on several threads and cancelled at random, for SOAK_SECONDS:
/// descriptors and mappings return to their former number, and memory does not grow. `make soak` runs it under the
/// sanitizers.
@Suite(.disabled(if: soakSeconds == 0, "make soak sets SOAK_SECONDS"))
struct SoakTests {
  /// In a process of its own: descriptors, mappings and memory are counted.
  @Test(.seeded) func `Mixed extractions that are cancelled at random leave nothing behind`() async {
    await #expect(processExitsWith: .success) {
      let clock = ContinuousClock()
      let end = clock.now + .seconds(soakSeconds)
      var settled: (descriptors: Int32, memory: Int)?
      var (rounds, outcomes) = (0, Outcomes())
      repeat {
        outcomes += await round(rounds)
        rounds += 1
        // A decoder's thread, with its descriptors, may be about to end: only what remains after that is a leak.
        var descriptors = cfaults_open_descriptors()
        for _ in 0..<100_000 {
          if descriptors <= settled?.descriptors ?? descriptors, cfaults_memory_mappings() == 0 { break }
          sched_yield()
          descriptors = cfaults_open_descriptors()
        }
        #expect(cfaults_memory_mappings() == 0, "mappings after \(rounds) rounds")
        // Caches, arenas and the sanitizers' quarantine fill at first.
        guard let settled else {
          if rounds == 5 { settled = (descriptors, residentMemory()) }
          continue
        }
        #expect(descriptors <= settled.descriptors, "descriptors after \(rounds) rounds")
        let growth = residentMemory() - settled.memory
        ExtractionPool.shared.end()
        // A thread that is about to end may still have a template that the pool has given up.
        for _ in 0..<10_000 {
          if Family.children(of: "self").isEmpty { break }
          sched_yield()
        }
        #expect(Family.children(of: "self").isEmpty, "children after \(rounds) rounds")
        #expect(growth < 256 << 20, "memory grew by \(growth >> 20) MiB in \(rounds) rounds")
        // A slow machine needs longer for what is to be compared.
      } while clock.now < end || rounds < 8
      #expect(outcomes.extracted > 0 && outcomes.cancelled > 0, "\(outcomes)")
      let growth = residentMemory() - (settled?.memory ?? 0)
      let report =
        "soak: MEMARCHIVE_SEED=\(SeededGenerator.seed), \(rounds) rounds, \(outcomes), memory \(growth >> 10) KiB more than after round 5\n"
      try Data(report.utf8).write(to: URL(fileURLWithPath: ".build/soak.log"))
    }
  }
}

/// Zero: not at all.
private let soakSeconds = ProcessInfo.processInfo.environment["SOAK_SECONDS"].flatMap { Int($0) } ?? 0

struct Outcomes: CustomStringConvertible {
  var extracted = 0
  var failed = 0
  var cancelled = 0
  var description: String { "\(extracted) extracted, \(failed) failed, \(cancelled) cancelled" }

  static func += (left: inout Self, right: Self) {
    left.extracted += right.extracted
    left.failed += right.failed
    left.cancelled += right.cancelled
  }
}

/// Eight tasks with a few extractions each.
private func round(_ number: Int) async -> Outcomes {
  await withTaskGroup(of: Outcomes.self) { group in
    for task in 0..<8 {
      group.addTask {
        var outcomes = Outcomes()
        var random = SeededGenerator(stream: number * 8 + task)
        for _ in 0..<20 { outcomes += await extraction(&random) }
        return outcomes
      }
    }
    var all = Outcomes()
    for await outcomes in group { all += outcomes }
    return all
  }
}

private func extraction(_ random: inout SeededGenerator) async -> Outcomes {
  guard let fixture = Fixture.all.randomElement(using: &random), var bytes = try? fixture.bytes else {
    return Outcomes()
  }
  // One in three is damaged somewhere.
  if Int.random(in: 0..<3, using: &random) == 0, let index = bytes.indices.randomElement(using: &random) {
    bytes[index] ^= UInt8.random(in: 1...255, using: &random)
  }
  let options = ExtractionOptions {
    $0.limits = ExtractionLimits(totalBytes: 1 << 26, heldBytes: 1 << 26)
    $0.fill = .allCases.randomElement(using: &random) ?? .automatic
    $0.storage = .allCases.randomElement(using: &random) ?? .automatic
    $0.parallelism = Int.random(in: 1...4, using: &random)
    $0.onError = Bool.random(using: &random) ? .keepGoing : .stop
    $0.sandbox = Int.random(in: 0..<4, using: &random) == 0 ? .required : .off
  }
  let isNested = Bool.random(using: &random)
  let archive = bytes
  let task = Task { [random] in
    var random = random
    let files = try await ArchiveReader(bytes: archive).extract(
      options: options.nested(isNested ? .expand : .keep))
    for (_, file) in files where Bool.random(using: &random) { _ = try file.withBytes { $0.byteCount } }
  }
  if Bool.random(using: &random) {
    for _ in 0..<Int.random(in: 0...200, using: &random) { await Task.yield() }
    task.cancel()
  }
  switch await task.result {
  case .success: return Outcomes(extracted: 1)
  case .failure(let error as ArchiveError) where error.code == .cancelled: return Outcomes(cancelled: 1)
  case .failure: return Outcomes(failed: 1)
  }
}

/// Bytes of the process that are in memory, proc(5).
private func residentMemory() -> Int {
  let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}
