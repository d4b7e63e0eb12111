// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// The choice of the worker program.
struct WorkerLocatorTests {
  private static let archive = Tar.archive(Tar.entry("a", [1, 2, 3]))

  /// A directory of its own with a copy of the worker that this process finds, of this mode.
  private func withWorker(mode: mode_t, owner: uid_t? = nil, _ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = directory + "/memarchive-worker"
    try FileManager.default.copyItem(atPath: WorkerLocator.program(ExtractionOptions()).path, toPath: path)
    try #require(chmod(path, mode) == 0)
    if let owner { try #require(chown(path, owner, owner) == 0) }
    try body(path)
  }

  private func refusal(of candidates: String..., running own: String? = nil) throws -> ArchiveError {
    try #require(
      throws: ArchiveError.self, performing: { _ = try WorkerLocator.first(of: candidates, running: own) })
  }

  @Test(arguments: [0o777, 0o775, 0o757, 0o722] as [mode_t])
  func `A program that others can write is not used, and the error says what to do`(_ mode: mode_t) throws {
    try withWorker(mode: mode) { path throws in
      let error = try refusal(of: "/nowhere", path)
      #expect(error.code == .sandboxUnavailable)
      let facts =
        "\(path) is not used because others can change it (owner \(geteuid()), mode 0\(String(mode, radix: 8)))"
      #expect(error.reason.contains(facts) && error.reason.contains("chmod go-w"), "\(error)")
      try withWorker(mode: 0o755) { other throws in
        #expect(try WorkerLocator.first(of: [path, other], running: nil).path == other)
      }
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root gives a file away"))
  func `A program of another user is not used, and the error names the owner`() throws {
    try withWorker(mode: 0o755, owner: 65534) { path throws in
      let error = try refusal(of: path)
      #expect(
        error.reason.contains("\(path) is not used") && error.reason.contains("owner 65534, mode 0755"),
        "\(error)")
    }
  }

  @Test func `A program that only its user can write to is used, and the running one always`() throws {
    try withWorker(mode: 0o755) { path throws in
      #expect(try WorkerLocator.first(of: ["/nowhere", "/", path], running: nil).path == path)
    }
    try withWorker(mode: 0o777) { path throws in
      #expect(try WorkerLocator.first(of: [path], running: path).path == path)
    }
  }

  @Test func `A program that the caller names is used as it is`() throws {
    try withWorker(mode: 0o777) { path throws in
      let options = ExtractionOptions {
        $0.sandbox = .required
        $0.worker = path
      }
      #expect(try names(options) == ["a"])
    }
  }

  /// A process that another test starts may still have the copied program open for writing (ETXTBSY).
  private func names(_ options: ExtractionOptions) throws -> [String] {
    let reader = ArchiveReader(bytes: Self.archive)
    for _ in 0..<100 {
      do { return try reader.extract(options: options).names } catch {
        guard error.reason.contains("Text file busy") else { throw error }
      }
    }
    return try reader.extract(options: options).names
  }

  @Test func `If there is no program, the error names both remedies`() throws {
    let error = try refusal(of: "/nowhere/memarchive-worker")
    #expect(error.code == .sandboxUnavailable)
    for remedy in ["MemArchiveWorker.runIfRequested()", "the product memarchive-worker", "MEMARCHIVE_WORKER"]
    {
      #expect(error.reason.contains(remedy), "\(error)")
    }
  }

  @Test(arguments: ["/bin/true", "/nowhere", "/etc/passwd"])
  func `A variable that names no worker is named by the warning, and by the error`(_ program: String) async {
    await #expect(processExitsWith: .success) { [program = program as String] in
      setenv("MEMARCHIVE_WORKER", program, 1)
      let reader = ArchiveReader(bytes: Self.archive)
      let files = try reader.extract(options: ExtractionOptions(sandbox: .bestEffort))
      let named = "MEMARCHIVE_WORKER=\(program) "
      guard files.names == ["a"], files.warnings.contains(where: { $0.text.contains(named) }) else { exit(1) }
      do { _ = try reader.extract(options: ExtractionOptions(sandbox: .required)) } catch let error
        as ArchiveError
      {
        exit(error.code == .sandboxUnavailable && error.reason.contains(named) ? 0 : 2)
      }
      exit(3)
    }
  }
}
#endif
