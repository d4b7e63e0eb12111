import MemArchive
import Synchronization
import TestSupport
import Testing

/// Keeps what it is told.
final class ReportLog: ExtractionObserver {
  private let kept = Mutex<[ExtractionReport]>([])
  var reports: [ExtractionReport] { kept.withLock { $0 } }

  func extractionEnded(_ report: ExtractionReport) { kept.withLock { $0.append(report) } }
}

struct ObserverTests {
  private static let sandboxes: [ExtractionOptions.Sandbox] = [.off, .required]
  private let log = ReportLog()

  private func options(_ sandbox: ExtractionOptions.Sandbox) -> ExtractionOptions {
    ExtractionOptions {
      $0.sandbox = sandbox
      $0.observer = log
    }
  }

  private func expect(
    _ operations: [ExtractionReport.Operation], _ code: ArchiveError.Code? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(log.reports.map(\.operation) == operations, sourceLocation: sourceLocation)
    for report in log.reports {
      #expect(report.error?.code == code, sourceLocation: sourceLocation)
      #expect(report.duration > .zero, sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: sandboxes)
  func `Each call is told once, when it has ended`(_ sandbox: ExtractionOptions.Sandbox) async throws {
    let options = options(sandbox)
    let reader = ArchiveReader(path: Fixture.path("zip-3mib.zip"))
    let synchronous: () throws -> Void = {
      _ = try reader.entries(options: options)
      _ = try reader.extract(options: options)
      _ = try reader.tree(options: options)
    }
    try synchronous()
    expect([.entries, .extract, .tree])
    _ = try await reader.entries(options: options)
    _ = try await reader.extract(options: options)
    _ = try await reader.tree(options: options)
    for try await _ in reader.files(options: options) {}
    expect([.entries, .extract, .tree, .entries, .extract, .tree, .files])
    #expect(log.reports.allSatisfy { $0.entries == 1 && $0.archive == "\(reader)" })
    #expect(log.reports.allSatisfy { $0.heldBytes >= $0.bytes })
    #expect(log.reports.map(\.bytes) == [0, 3_148_800, 3_148_800, 0, 3_148_800, 3_148_800, 3_148_800])
  }

  @Test(arguments: sandboxes)
  func `A stream is told when it is let go`(_ sandbox: ExtractionOptions.Sandbox) throws {
    let reader = ArchiveReader(path: Fixture.path("zip-3mib.zip"))
    do {
      var stream = try reader.stream(options: options(sandbox))
      _ = try stream.next()
      #expect(log.reports.isEmpty)
      _ = try stream.extract()
    }
    expect([.stream])
    #expect(log.reports.first?.bytes == 3_148_800)
  }

  @Test(arguments: sandboxes)
  func `An error is told with the call that threw it`(_ sandbox: ExtractionOptions.Sandbox) async throws {
    let options = options(sandbox)
    let reader = ArchiveReader(bytes: Array("no archive".utf8))
    #expect(throws: ArchiveError.self) { _ = try reader.stream(options: options) }
    await #expect(throws: ArchiveError.self) { _ = try await reader.extract(options: options) }
    await #expect(throws: ArchiveError.self) { for try await _ in reader.files(options: options) {} }
    expect([.stream, .extract, .files], .unrecognizedFormat)
  }

  @Test func `Of a stream that goes on, the first error is told`() throws {
    let bytes = try Fixture.bytes("zip-3mib.zip")
    var damaged = Array(bytes)
    damaged[damaged.count / 2] ^= 0xFF
    do {
      var stream = try ArchiveReader(bytes: damaged).stream(options: options(.off))
      _ = try stream.next()
      #expect(throws: ArchiveError.self) { _ = try stream.extract() }
      #expect(throws: ArchiveError.self) { _ = try stream.extract() }
      #expect(try stream.next() == nil)
    }
    expect([.stream], .corrupt)
  }
}
