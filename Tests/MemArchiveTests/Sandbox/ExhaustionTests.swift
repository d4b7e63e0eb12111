// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CFaults
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// Whatever runs out while a worker is started, the archive is not read without one.
@Suite(.slow) struct ExhaustionTests {
  /// What came of an extraction that would take less than a sandbox where the system has none.
  private enum Outcome: Equatable {
    case sandboxed
    case error(ArchiveError.Code)
    case unprotected
  }

  /// - Parameter pool: By default a new one: a template that was started before leaves less to run out.
  private static func outcome(
    _ sandbox: ExtractionOptions.Sandbox = .bestEffort, _ pool: ExtractionPool = ExtractionPool()
  ) -> Outcome {
    let reader = ArchiveReader(path: FilePath(Fixture.path("zip-deflated.zip")))
    do throws(ArchiveError) {
      let files = try reader.extract(
        options: ExtractionOptions {
          $0.sandbox = sandbox
          $0.pool = pool
        })
      return files.protection == nil ? .unprotected : .sandboxed
    } catch {
      return .error(error.code)
    }
  }

  private struct Run {
    /// Released there, so that no process remains for which the faults would be waited for.
    var pool: ExtractionPool?
    var outcome: Outcome?
  }

  private static func limit(_ resource: __rlimit_resource, _ value: Int) -> Bool {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return false }
    limit.rlim_cur = rlim_t(value)
    return setrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0
  }

  @Test func `Running out of descriptors at any step is an error of that kind`() async {
    await #expect(processExitsWith: .success) {
      guard Self.outcome() == .sandboxed else { exit(1) }
      let probe = dup(0)
      close(probe)
      var refused = 0
      for more in 0..<40 {
        for sandbox in [ExtractionOptions.Sandbox.bestEffort, .required] {
          guard Self.limit(RLIMIT_NOFILE, Int(probe) + more) else { exit(2) }
          let outcome = Self.outcome(sandbox)
          guard Self.limit(RLIMIT_NOFILE, 1000) else { exit(3) }
          switch outcome {
          case .sandboxed: break
          case .error(.descriptorLimit): refused += 1
          default:
            print("\(more) descriptors, \(sandbox): \(outcome)")
            exit(4)
          }
        }
      }
      exit(refused > 4 && refused < 80 ? 0 : 5)
    }
  }

  @Test(.enabled(if: geteuid() == 0, "root is bound by no number of processes, and becomes somebody who is"))
  func `Running out of processes at any step is an error of that kind`() async {
    await #expect(processExitsWith: .success) {
      // A user without other processes.
      guard setgid(61_234) == 0, setuid(61_234) == 0 else { exit(1) }
      var refused = 0
      for count in 0..<10 {
        guard Self.limit(__RLIMIT_NPROC, count) else { exit(2) }
        for sandbox in [ExtractionOptions.Sandbox.bestEffort, .required] {
          switch Self.outcome(sandbox) {
          case .sandboxed: break
          case .error(.processLimit): refused += 1
          case let outcome:
            print("\(count) processes, \(sandbox): \(outcome)")
            exit(3)
          }
        }
      }
      exit(refused > 1 ? 0 : 4)
    }
  }

  /// Each call of a kind in turn, in this process, in its children, and in the programs they execute.
  @Test(
    arguments: [
      CFAULTS_START_THREAD, CFAULTS_OPEN, CFAULTS_MEMFD_CREATE, CFAULTS_MAP_STACK, CFAULTS_MAP_FILE,
      CFAULTS_DUPLICATE,
    ],
    [EMFILE, ENFILE, ENOMEM, EAGAIN])
  func `A call that fails once for lack of resources never drops the sandbox`(
    _ kind: Int, _ error: Int32
  )
    async
  {
    await expectSandbox(kind, error, hasTemplate: false)
    await expectSandbox(kind, error, hasTemplate: true)
  }

  /// - Parameter hasTemplate: Whether the template was started before, outside of the faults' reach.
  private func expectSandbox(_ kind: Int, _ error: Int32, hasTemplate: Bool) async {
    await #expect(processExitsWith: .success) { [kind, error, hasTemplate] in
      guard Self.outcome() == .sandboxed else { exit(1) }
      var changed = 0
      for first in 0..<24 {
        var plan = cfaults_plan()
        (plan.kind, plan.first, plan.count) = (Int32(kind), Int32(first), 1)
        (plan.action, plan.error, plan.children) = (Int32(CFAULTS_FAIL), error, 1)
        var result = cfaults_result()
        var run = Run(pool: ExtractionPool())
        if hasTemplate, let pool = run.pool, Self.outcome(.bestEffort, pool) != .sandboxed { exit(5) }
        let status = withUnsafeMutablePointer(to: &run) { pointer in
          cfaults_run(
            &plan,
            {
              let run = $0!.assumingMemoryBound(to: Run.self)
              run.pointee.outcome = ExhaustionTests.outcome(.bestEffort, run.pointee.pool!)
              run.pointee.pool = nil
            }, pointer, &result)
        }
        guard status == 0 else { exit(2) }
        if result.changed == 0 { break }
        changed += 1
        if run.outcome == .unprotected {
          print("call \(first): read without a sandbox")
          exit(3)
        }
      }
      exit(changed > 0 || hasTemplate ? 0 : 4)
    }
  }
}
#endif
