import CFaults
import Foundation
import MemArchive
import SystemPackage
import Testing

/// An extraction for each system call that it makes and each way in which that call can fail: either the expected error or
/// success, nothing left behind, and the next extraction works. Thousands of extractions, so only in an optimized build.
@Suite(.disabled(if: isDebug, "an optimized build runs them, see the Makefile"))
struct FaultTests {
  /// In a process of its own: descriptors and mappings are counted.
  @Test(.timeLimit(.minutes(10)), arguments: Scenario.all)
  func `Whichever system call fails once, the verdict is right and nothing is left`(_ scenario: Scenario)
    async
  {
    await #expect(processExitsWith: .success) { [scenario] in
      let trial = try Trial(scenario)
      for fault in Fault.each(scenario) {
        for call in trial.calls(of: fault.kind) { try trial.run(fault.at(call)) }
      }
      trial.report()
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: Scenario.all)
  func `Whatever the system never does, the verdict is right and nothing is left`(_ scenario: Scenario) async
  {
    await #expect(processExitsWith: .success) { [scenario] in
      let trial = try Trial(scenario)
      for fault in Fault.persistent(scenario) {
        for call in trial.calls(of: fault.kind).prefix(3) { try trial.run(fault.at(call)) }
      }
      // An extraction must not fail for lack of threads.
      try trial.run(
        Fault(.startThread, .fails(.resourceTemporarilyUnavailable), .success, count: Int(Int32.max)))
      trial.report()
    }
  }
}

#if TESTABLE
private let isDebug = true
#else
private let isDebug = false
#endif

/// Runs one scenario under many faults, in a process of its own.
final class Trial {
  private let scenario: Scenario
  private let rehearsal: Rehearsal
  private let expected: [String]
  private var counts: [Int]
  private var changed = 0
  private var runs = 0

  init(_ scenario: Scenario) throws {
    self.scenario = scenario
    rehearsal = try Rehearsal(scenario)
    // Locales, caches and the allocator's arenas are made once.
    for _ in 0..<3 {
      try rehearsal.prepare()
      rehearsal.run()
    }
    expected = try rehearsal.contents()
    #expect(!expected.isEmpty, "\(String(describing: rehearsal.result))")
    try rehearsal.prepare()
    var result = cfaults_result()
    var plan = cfaults_plan()
    plan.kind = -1
    counts = []
    let error = Self.run(rehearsal, &plan, &result)
    #expect(error == 0, "seccomp refuses: \(error)")
    counts = withUnsafeBytes(of: result.calls) { Array($0.bindMemory(to: Int32.self)).map(Int.init) }
    #expect(try rehearsal.contents() == expected)
  }

  /// The calls of a kind to be changed: the first and the last ones of those made without a fault, and those between
  /// unless there are many.
  func calls(of kind: Fault.Kind) -> [Int] {
    let all = Array(0..<counts[Int(kind.rawValue)])
    return all.count <= 14 ? all : all.prefix(10) + all.suffix(4)
  }

  private static func run(
    _ rehearsal: Rehearsal, _ plan: inout cfaults_plan, _ result: inout cfaults_result
  ) -> Int32 {
    cfaults_run(
      &plan, { Unmanaged<Rehearsal>.fromOpaque($0!).takeUnretainedValue().run() },
      Unmanaged.passUnretained(rehearsal).toOpaque(), &result)
  }

  func run(_ fault: Fault) throws {
    // The test library's own descriptors are opened once.
    if try !leavesNothing(fault), try !leavesNothing(fault) { Issue.record("\(fault): descriptors are left") }
  }

  /// One run; whether no more descriptors are open than before.
  private func leavesNothing(_ fault: Fault) throws -> Bool {
    try rehearsal.prepare()
    let descriptors = cfaults_open_descriptors()
    var plan = cfaults_plan(fault, file: rehearsal.file, size: 1000)
    var result = cfaults_result()
    let error: Int32
    if let path = fault.path {
      error = path.withCString {
        plan.path = $0
        return Self.run(rehearsal, &plan, &result)
      }
    } else {
      error = Self.run(rehearsal, &plan, &result)
    }
    #expect(error == 0)
    runs += 1
    changed += Int(result.changed)
    #expect(result.left_thread == 0, "\(fault): a thread is left")
    // With threads, the order may have been another one.
    if result.changed > 0 { try check(fault) } else { try checkSuccess(fault) }
    try rehearsal.prepare()
    let left = cfaults_open_descriptors() - descriptors
    #expect(cfaults_memory_mappings() == 0, "\(fault): mappings are left")
    rehearsal.run()
    #expect(try rehearsal.contents() == expected, "\(fault): the next extraction")
    if result.left_thread != 0 { exit(3) }
    return left == 0
  }

  private func check(_ fault: Fault) throws {
    guard case .failure(let error) = rehearsal.result else {
      if case .error = fault.verdict { Issue.record("\(fault): was not noticed") }
      return try checkSuccess(fault)
    }
    switch (fault.verdict, fault.change) {
    case (.success, _): Issue.record("\(fault): \(error)")
    case (.successOr(let codes), _): #expect(codes.contains(error.code), "\(fault): \(error)")
    case (_, .fails(let errno)):
      #expect(error.code == Fault.code(of: errno), "\(fault): \(error)")
      #expect(error.errno == errno, "\(fault): \(error)")
      let isOpening = fault.kind == .status || fault.kind == .seek
      #expect(error.call == fault.kind.call || isOpening && error.call == "open", "\(fault): \(error)")
    default: #expect(error.code == .system, "\(fault): \(error)")
    }
  }

  private func checkSuccess(_ fault: Fault) throws {
    if case .failure(let error) = rehearsal.result {
      Issue.record("\(fault): \(error)")
    } else if scenario.isChecked || fault.change != .overwritesTheArchiveFirst {
      #expect(try rehearsal.contents() == expected, "\(fault)")
    }
  }

  /// Detects a harness that changes nothing.
  func report() {
    #expect(changed > runs / 4, "\(changed) calls were changed in \(runs) runs")
    print("\(scenario.name): \(runs) runs, \(changed) calls changed")
  }
}

extension cfaults_plan {
  init(_ fault: Fault, file: CInt, size: off_t) {
    self.init()
    (kind, first, count) = (fault.kind.rawValue, Int32(fault.first), Int32(fault.count))
    descriptor = file
    self.size = size
    if let (argument, bits) = fault.bits { (bits_argument, self.bits) = (argument, bits) }
    let what: (Int, Int32) =
      switch fault.change {
      case .fails(let errno): (CFAULTS_FAIL, errno.rawValue)
      case .half: (CFAULTS_HALF, 0)
      case .oneByte: (CFAULTS_ONE_BYTE, 0)
      case .returns(let value): (CFAULTS_RETURN, value)
      case .isDoneAndFails(let errno): (CFAULTS_DO_AND_FAIL, errno.rawValue)
      case .truncatesTheArchiveFirst: (CFAULTS_TRUNCATE_FIRST, 0)
      case .overwritesTheArchiveFirst: (CFAULTS_OVERWRITE_FIRST, 0)
      }
    (action, error) = (Int32(what.0), what.1)
  }
}
