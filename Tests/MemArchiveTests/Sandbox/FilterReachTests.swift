// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CLinux
import CTrying
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// The reach of a worker that was taken over, tried by a real, locked-in worker.
struct FilterReachTests {
  /// The outcome of the call: refused and named; or made, with the error number (200: none).
  enum Outcome: Equatable {
    case refused(String)
    case made(Int)
    case other(String)
  }

  private func outcome(_ call: Int, _ arguments: Int...) throws -> Outcome {
    try outcome(call, arguments, of: Fixture.path("tree.tar.gz"))
  }

  private func outcome(
    _ call: Int, _ arguments: [Int], of archive: String, blockingSignals: Bool = false
  ) throws -> Outcome {
    let worker = try NamedWorker(calling: call, arguments, blockingSignals: blockingSignals)
    let options = ExtractionOptions {
      $0.sandbox = .required
      $0.worker = worker.path.string
    }
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(path: FilePath(archive)).extract(options: options)
    }
    guard let error else { return .other("nothing was thrown") }
    switch error.code {
    case .sandboxViolation:
      let name = error.reason.components(separatedBy: "system call ").last?.prefix { $0 != "," }
      return name.map { .refused(String($0)) } ?? .other(error.reason)
    case .sandboxUnavailable:
      let status = error.reason.split(separator: " ").last.flatMap { Int($0) }
      return status.map { .made($0) } ?? .other(error.reason)
    default: return .other("\(error)")
    }
  }

  private struct DescriptorCall {
    let name: String
    let number: Int
    let rest: [Int]

    init(_ name: String, _ number: Int, _ rest: Int...) {
      (self.name, self.number, self.rest) = (name, number, rest)
    }
  }

  private static let descriptorCalls: [DescriptorCall] = [
    DescriptorCall("fchmod", CTRYING_FCHMOD, 0o444), DescriptorCall("ftruncate", CTRYING_FTRUNCATE, 0),
    DescriptorCall("fallocate", CTRYING_FALLOCATE, 3, 0, 1), DescriptorCall("fcntl", CTRYING_FCNTL, 1033, 15),
    DescriptorCall("fcntl", CTRYING_FCNTL, 1034), DescriptorCall("pwrite64", CTRYING_PWRITE64, 0, 0, 0),
    DescriptorCall("close", CTRYING_CLOSE),
  ]

  /// 0 to 2 are /dev/null, 3 is the socket, 4 the archive; what is made after the lock is 5 or more.
  @Test(arguments: 0...5)
  func `Calls that act on a descriptor reach none that was open before the lock`(_ descriptor: Int) throws {
    let archive = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
    try FileManager.default.copyItem(atPath: Fixture.path("tree.tar.gz"), toPath: archive)
    defer { try? FileManager.default.removeItem(atPath: archive) }
    try #require(chmod(archive, 0o600) == 0)
    for call in Self.descriptorCalls {
      let found = try outcome(call.number, [descriptor] + call.rest, of: archive)
      // The first free number is not open.
      let expected: Outcome = descriptor < 5 ? .refused(call.name) : .made(Int(EBADF))
      #expect(found == expected, "\(call.name) \(call.rest)")
    }
    #expect(try FileManager.default.attributesOfItem(atPath: archive)[.posixPermissions] as? Int == 0o600)
  }

  @Test func `Memory that is locked, executable or from the huge page reserve is refused`() throws {
    let private_ = Int(MAP_PRIVATE | MAP_ANONYMOUS)
    let protection = Int(PROT_READ | PROT_WRITE)
    // MAP_HUGETLB, MAP_LOCKED, MAP_32BIT, MAP_GROWSDOWN.
    for flag in [0x40000, 0x2000, 0x40, 0x100] {
      #expect(try outcome(CTRYING_MMAP, 0, 4096, protection, private_ | flag, -1, 0) == .refused("mmap"))
    }
    let executable = protection | Int(PROT_EXEC)
    #expect(try outcome(CTRYING_MMAP, 0, 4096, executable, private_, -1, 0) == .refused("mmap"))
    #expect(try outcome(CTRYING_MMAP, 0, 4096, protection, private_, -1, 0) == .made(200))
    // More than it may have in all.
    #expect(try outcome(CTRYING_MMAP, 0, 1 << 36, protection, private_, -1, 0) == .made(Int(ENOMEM)))
  }

  @Test func `Calls beyond extraction are refused, and named`() throws {
    let socket = try outcome(CTRYING_SOCKET, Int(AF_INET), 1, 0)
    #expect(socket == .refused("socket"))
    let calls: [(Int, String)] = [
      (CTRYING_CLONE, "clone"), (CTRYING_CLONE3, "clone3"), (CTRYING_EXECVE, "execve"),
      (CTRYING_PTRACE, "ptrace"),
      (CTRYING_KILL, "kill"), (CTRYING_PRCTL, "prctl"), (CTRYING_IOCTL, "ioctl"),
    ]
    for (number, name) in calls {
      #expect(try outcome(number, 0, 0, 0) == .refused(name))
    }
    #expect(try outcome(CTRYING_MEMFD_CREATE, 0, 1) == .refused("memfd_create"))
    #expect(try outcome(CTRYING_DUP, 4) == .refused(WorkerMessage.callName(UInt32(CTRYING_DUP))))
    // The C library may try, and gets an error.
    #expect(try outcome(CTRYING_OPENAT, -100, 0, 0) == .made(Int(EACCES)))
  }

  /// As a C library does it around a new thread, and from glibc 2.41 on around a new process.
  @Test func `A call with all signals blocked is named as well`() throws {
    let fixture = Fixture.path("tree.tar.gz")
    #expect(try outcome(CTRYING_CLONE3, [0, 0], of: fixture, blockingSignals: true) == .refused("clone3"))
  }

  @Test func `A refused call of the C library is reported as a likely defect`() throws {
    func advice(_ call: Int) throws -> ArchiveError.Advice {
      let worker = try NamedWorker(calling: call)
      let options = ExtractionOptions {
        $0.sandbox = .required
        $0.worker = worker.path.string
      }
      return try #require(
        #expect(throws: ArchiveError.self) {
          try ArchiveReader(path: FilePath(Fixture.path("tree.tar.gz"))).extract(options: options)
        }
      ).advice
    }
    for call in [CTRYING_CLONE, CTRYING_CLONE3, CTRYING_FUTEX] {
      #expect(try advice(call) == .reportDefect)
    }
    #expect(try advice(CTRYING_SOCKET).description.contains("Do not trust this archive"))
  }

  @Test func `A locked worker has no capability, and a bound on processor time and memory`() throws {
    let archive = Tar.archive(Tar.entry("a", [1, 2, 3]), Tar.entry("b", [4]))
    let worker = try NamedWorker()
    var stream = try ArchiveReader(bytes: archive).stream(options: worker.options)
    _ = try stream.next()
    let process = try #require(worker.processes.first)
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let sets = status.split(separator: "\n").filter { $0.hasPrefix("Cap") && !$0.hasPrefix("CapBnd") }
    #expect(sets.count == 4)
    for set in sets { #expect(set.hasSuffix("\t0000000000000000"), "\(set)") }
    let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
    for name in ["Max cpu time", "Max data size", "Max file size", "Max open files"] {
      let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix(name) })
      #expect(!line.contains("unlimited"), "\(line)")
    }
    _ = try stream.next()
  }

  /// What is not on the list is reported and made all the same: one run shows all of it.
  @Test(.slow, arguments: Fixture.all, [1, 3])
  func `Whatever a fixture makes libraries call, the list has it`(_ fixture: Fixture, _ threads: Int) throws {
    let worker = try NamedWorker(trying: "report")
    var options = ExtractionOptions {
      $0.formats = .all
      $0.parallelism = threads
      $0.onError = .keepGoing
      $0.sandbox = .required
    }
    options.worker = worker.path.string
    let reader = ArchiveReader(path: FilePath(fixture.path))
    _ = try? reader.extract(options: options)
    _ = try? reader.extract(options: options.nested())
    #expect(try worker.reportedCalls == [])
  }

  @Test func `A call that is not on the list is reported`() throws {
    let worker = try NamedWorker(trying: "report,\(CTRYING_GETPPID)")
    let options = ExtractionOptions {
      $0.sandbox = .required
      $0.worker = worker.path.string
    }
    #expect(try !ArchiveReader(path: FilePath(Fixture.path("tree.tar.gz"))).extract(options: options).isEmpty)
    #expect(try worker.reportedCalls == [CTRYING_GETPPID])
  }
}
#endif
