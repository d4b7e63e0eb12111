import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

#if TESTABLE
import HostileWorker

@testable import MemArchive
#else
import MemArchive
#endif

/// Memory that a control group bounds, and whose overrun the kernel answers by killing.
@Suite(
  .slow, .enabled(if: MemoryGroup.isAvailable, "no control group with a memory limit can be made here"))
struct MemoryGroupTests {
  /// 256 MiB of zeros, in a group of 128 MiB.
  private static let bomb = Gzip.deflated(
    Tar.archive(Tar.entry("first", [1]), Tar.entry("zeros", Bytes(repeating: 0, count: 256 << 20))))

  @Test(arguments: [false, true])
  func `Content that does not fit into the group is refused before the kernel kills`(_ isSandboxed: Bool)
    async throws
  {
    await #expect(processExitsWith: .success) { [isSandboxed] in
      let bomb = Self.bomb
      let group = try MemoryGroup(bytes: 128 << 20)
      defer { group.remove() }
      guard group.enter() else { exit(1) }
      do {
        _ = try ArchiveReader(bytes: bomb).extract(
          options: ExtractionOptions(sandbox: isSandboxed ? .required : .off))
        group.remove()
        exit(2)
      } catch let error as ArchiveError {
        group.remove()
        exit(error.code == .limitExceeded ? 0 : 3)
      }
    }
  }

  /// 600 MB of names or attributes in a small archive: entries rather than content do not fit. Each member of the
  /// gzip has the same entries.
  @Test(arguments: ["path", "linkpath", "SCHILY.xattr.user.a"], [false, true])
  func `Entries that do not fit into the group are refused before the kernel kills`(
    _ what: String, _ isSandboxed: Bool
  ) async throws {
    await #expect(processExitsWith: .success) { [what, isSandboxed] in
      let long = Bytes(repeating: 0x78, count: 60_000)
      // Attributes like those of the entry before would be kept once.
      let entries = (0..<50).reduce(into: Bytes()) {
        $0 +=
          Tar.pax(what, Bytes("\($1)".utf8) + long)
          + Tar.entry("\($1)", type: what == "linkpath" ? "2" : "0", link: "a")
      }
      let member = Gzip.deflated(entries)
      let archive = (0..<200).reduce(into: Bytes()) { bytes, _ in bytes += member } + Gzip.deflated(Tar.end)
      let group = try MemoryGroup(bytes: 128 << 20)
      guard group.enter() else { exit(1) }
      var code: ArchiveError.Code?
      do {
        _ = try ArchiveReader(bytes: archive).extract(
          options: ExtractionOptions(sandbox: isSandboxed ? .required : .off))
      } catch let error as ArchiveError {
        code = error.code
      }
      group.remove()
      exit(code == .limitExceeded ? 0 : 2)
    }
  }

  @Test func `If the kernel kills, it kills the worker, and the host lives`() async throws {
    await #expect(processExitsWith: .success) {
      let bomb = Self.bomb
      let group = try MemoryGroup(bytes: 128 << 20)
      guard group.enter() else { exit(1) }
      // The caller's limit is used as it is.
      let options = ExtractionOptions(limits: ExtractionLimits(heldBytes: 1 << 30), sandbox: .required)
      var code: ArchiveError.Code?
      var reason = ""
      do { _ = try ArchiveReader(bytes: bomb).extract(options: options) } catch let error as ArchiveError {
        (code, reason) = (error.code, error.reason)
      }
      let small = Tar.archive(Tar.entry("a", [1, 2, 3]))
      let files = try ArchiveReader(bytes: small).extract(options: ExtractionOptions(sandbox: .required))
      group.remove()
      guard code == .workerFailed, reason.contains("SIGKILL") else { exit(2) }
      ExtractionPool.shared.end()
      exit(try files["a"]?.content == [1, 2, 3] && Family.children(of: "self").isEmpty ? 0 : 3)
    }
  }

  /// The thread that made the first entry leaves its slab open, and everything after it waits.
  @Test func `Files that wait for another thread's files count`() async throws {
    await #expect(processExitsWith: .success) {
      let zeros = Bytes(repeating: 0, count: 4 << 20)
      let deflated = Bytes(Gzip.deflated(zeros).dropFirst(10).dropLast(8))
      let archive = Zip.archive(
        [.init("first", [1])]
          + (0..<64).map {
            .init("\($0)", deflated, crc: Gzip.checksum(zeros), size: UInt32(zeros.count), method: 8)
          })
      let group = try MemoryGroup(bytes: 128 << 20)
      guard group.enter() else { exit(1) }
      let options = ExtractionOptions {
        $0.storage = .packed
        $0.parallelism = 2
        $0.sandbox = .required
      }
      var code: ArchiveError.Code?
      do { _ = try ArchiveReader(bytes: archive).extract(options: options) } catch let error as ArchiveError {
        code = error.code
      }
      group.remove()
      exit(code == .limitExceeded ? 0 : 2)
    }
  }

  /// 320 MiB in a group of 480: the worker's memory is given back as soon as its content is in the tree.
  @Test func `A tree takes its content once`() async throws {
    await #expect(processExitsWith: .success) {
      let file = Bytes(repeating: 0, count: 64 << 10)
      let tar = (0..<5120).reduce(into: Bytes()) { $0 += Tar.entry("\($1)", file) } + Tar.end
      let archive = Gzip.deflated(tar)
      let group = try MemoryGroup(bytes: 480 << 20)
      guard group.enter() else { exit(1) }
      let options = ExtractionOptions(limits: ExtractionLimits(heldBytes: 400 << 20), sandbox: .required)
      let tree = try? ArchiveReader(bytes: archive).tree(options: options)
      let entries = tree?.entries.count
      group.remove()
      exit(entries == 5120 ? 0 : 2)
    }
  }
}

#if TESTABLE
/// A worker that was taken over, whose host a control group bounds.
@Suite(.slow, .enabled(if: MemoryGroup.isAvailable, "no control group with a memory limit can be made here"))
struct HostileMemoryTests {
  /// Hundreds of MB, from a worker that says whatever it likes, to a host that bounds nothing.
  @Test(arguments: Lie.gigantic)
  func `A worker that was taken over does not have its host killed`(_ lie: Lie) async throws {
    await #expect(processExitsWith: .success) { [name = lie.name as String] in
      let group = try MemoryGroup(bytes: 128 << 20)
      guard group.enter() else { exit(1) }
      var code: ArchiveError.Code?
      var count = 0
      let worker = try NamedWorker(telling: name)
      var options = worker.options
      options.onError = .keepGoing
      options.timeout = .seconds(50)
      do {
        count = try ArchiveReader(bytes: [1]).extract(options: options).warnings.count
      } catch let error as ArchiveError {
        code = error.code
      }
      group.remove()
      exit(code == .limitExceeded || (code == nil && count > 0) ? 0 : 2)
    }
  }
}
#endif
