// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Foundation
import HostileWorker
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// A worker that was taken over by its archive lies about everything; this process trusts none of it.
@Suite(.serialized) struct HostileWorkerTests {
  @Test(arguments: Lie.all) func `A lie is seen`(_ lie: Lie) throws { try see(lie) }
  @Test(.slow) func `Any number of warnings is counted`() throws { try see(.warnings) }

  private func see(_ lie: Lie) throws {
    let worker = try NamedWorker(telling: lie.name)
    var options = ExtractionOptions {
      $0.limits = ExtractionLimits(heldBytes: 1 << 20)
      $0.storage = lie.storage
      $0.sandbox = .required
      $0.worker = worker.path.string
    }
    // Either bound is enough where nothing is said at all.
    if lie.name.hasPrefix("nothing ") {
      #expect(try outcome(options, longestSilence: 300)?.code == .timedOut)
    }
    // Long for a worker that answers, and short for one that never does.
    options.timeout = lie.code == .timedOut ? .milliseconds(600) : .seconds(50)
    let error = try outcome(options)
    #expect(error?.code == lie.code, "\(error.map { "\($0)" } ?? "it was believed")")
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  @Test(arguments: Lie.pieces) func `A lie about pieces is seen`(_ lie: Lie) throws {
    let worker = try NamedWorker(telling: lie.name)
    var options = worker.options
    options.timeout = .seconds(50)
    options.limits.entryBytes = 2 << 20
    let error = #expect(throws: ArchiveError.self) {
      var stream = try ArchiveReader(bytes: [1]).stream(options: options)
      while try stream.next() != nil { _ = try stream.forEachBlock { _, _ in } }
    }
    #expect(error?.code == lie.code, "\(String(describing: error))")
    withExtendedLifetime(worker) {}
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  @Test(arguments: Lie.window) func `A lie about the window is seen`(_ lie: Lie) throws {
    let worker = try NamedWorker(telling: lie.name)
    var options = worker.options
    options.timeout = .seconds(50)
    options.limits.heldBytes = 2 << 20
    do {
      let tree = try ArchiveReader(bytes: [1]).tree(options: options)
      #expect(lie.code == nil, "it was believed")
      #expect(try tree.withPath(of: "a") { try Data(contentsOf: URL(filePath: $0)) } == Data(count: 3))
    } catch let error as ArchiveError {
      #expect(error.code == lie.code, "\(error)")
    }
    withExtendedLifetime(worker) {}
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  /// 40 MiB of zeros.
  private struct Zeros: ArchiveSource {
    let size: Int64 = 40 << 20
    func read(at _: Int64, into buffer: inout MutableRawSpan) -> Int { buffer.byteCount }
  }

  @Test(arguments: Lie.requests) func `A lie about what it needs of a source is seen`(_ lie: Lie) throws {
    let worker = try NamedWorker(telling: lie.name)
    var options = worker.options
    options.timeout = lie.code == .timedOut ? .milliseconds(600) : .seconds(50)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(source: Zeros()).extract(options: options)
    }
    #expect(error?.code == lie.code, "\(String(describing: error))")
    withExtendedLifetime(worker) {}
  }

  @Test func `A worker that never takes what is sent to it is ended`() throws {
    let worker = try NamedWorker(telling: Lie.manyFiles.name)
    var options = worker.options
    options.timeout = .milliseconds(2000)
    #expect(try outcome(options)?.code == .timedOut)
    options.timeout = nil
    let error = try outcome(options, longestSilence: 300)
    #expect(error?.code == .sandboxViolation)
    #expect(error?.reason.contains("did not read what was sent to it") == true)
    #expect(OpenFiles(labelled: "lie") == .none)
  }

  @Test func `A worker that takes it late is waited for`() throws {
    let worker = try NamedWorker(telling: Lie.someFilesTakenLate.name)
    #expect(try outcome(worker.options) == nil)
  }

  @Test func `A pipe that gives something is no excuse for silence`() throws {
    let worker = try NamedWorker(telling: Lie.nothingAfterReady.name)
    var options = worker.options
    let hooks = ExtractionContext.Hooks(longestSilence: 300)
    let full = FileDescriptor(rawValue: try pipe(filledWith: [1, 2, 3]))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(descriptor: full).extract(in: ExtractionContext(options, hooks: hooks))
    }
    #expect(error?.code == .timedOut)
    #expect(error?.reason.contains("0.3 seconds") == true)
    // One that gives nothing is, for as long as the extraction may take.
    let empty = try FileDescriptor.pipe()
    options.timeout = .milliseconds(900)
    let other = #expect(throws: ArchiveError.self) {
      try ArchiveReader(descriptor: empty.readEnd).extract(in: ExtractionContext(options, hooks: hooks))
    }
    #expect(other?.reason.contains("longer than") == true)
    for descriptor in [full, empty.readEnd, empty.writeEnd] { try descriptor.close() }
  }

  /// The visitor keeps nothing, so only queued entries count.
  private struct Forgetful: EntryVisitor {
    var prefetch: Prefetch { .contents() }
    func wants(_ entry: ArchiveEntry) -> Bool { entry.hasContent }
    func add(_: MemFile?, for _: ArchiveEntry, position _: Int) {}
    func note(_: ArchiveError) {}
    func end(warnings _: [ArchiveWarning], failedPosition _: Int?) {}
  }

  @Test(arguments: [Lie.entries, .notesAfterSlab])
  func `What waits in the host is held`(_ lie: Lie) throws {
    let worker = try NamedWorker(telling: lie.name)
    let options = Self.options(worker)
    let ledger = Ledger(options.limits)
    let error = #expect(throws: ArchiveError.self) {
      var visitor = Forgetful()
      try ArchiveReader(bytes: [1]).visit(&visitor, in: ExtractionContext(options, ledger: ledger))
    }
    #expect(error?.code == .limitExceeded, "\(String(describing: error))")
    #expect(ledger.snapshot.held == 0)
  }

  @Test func `Notes that are kept are held`() throws {
    let worker = try NamedWorker(telling: Lie.notes.name)
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: [1]).extract(options: Self.options(worker))
    }
    #expect(error?.code == .limitExceeded, "\(String(describing: error))")
  }

  private static func options(_ worker: NamedWorker) -> ExtractionOptions {
    var options = worker.options
    options.limits.heldBytes = 1 << 20
    options.onError = .keepGoing
    options.timeout = .seconds(50)
    return options
  }

  /// The error; nil if the only file has arrived as it should.
  private func outcome(
    _ options: ExtractionOptions, longestSilence: Int = 60_000
  ) throws -> ArchiveError? {
    do {
      let hooks = ExtractionContext.Hooks(longestSilence: longestSilence)
      let files = try ArchiveReader(bytes: [1]).extract(in: ExtractionContext(options, hooks: hooks))
      #expect(try files["a"]?.text == "abc")
      return nil
    } catch let error as ArchiveError {
      return error
    }
  }
}
#endif
