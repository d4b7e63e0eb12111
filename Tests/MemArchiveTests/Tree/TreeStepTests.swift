// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import TestSupport
import Testing

@testable import MemArchive

/// Finishing a tree checks the deadline at each step.
struct TreeStepTests {
  private func writer(_ cancellation: Cancellation, _ archive: Bytes) throws -> TreeWriter {
    let context = ExtractionContext.stopped(by: cancellation)
    let space = try TreeFileSystem(context.ledger)
    let area = TreeArea(space, top: try space.openTop())
    var writer = TreeWriter(area, in: context, wantsAll: true) { _ in true }
    try ArchiveReader(bytes: archive).visit(&writer, in: context)
    return writer
  }

  @Test(arguments: [
    Tar.entry("a", [1]) + Tar.entry("a", [2]), Tar.entry("a", [1]) + Tar.entry("b", type: "1", link: "a"),
    Tar.entry("l", type: "2", link: "x"),
  ])
  func `Deferred work is not done after the deadline`(_ entries: Bytes) throws {
    let cancellation = Cancellation()
    let writer = try writer(cancellation, entries + Tar.end)
    cancellation.cancel()
    let error = #expect(throws: ArchiveError.self) { try writer.settle() }
    #expect(error?.code == .cancelled)
  }

  @Test func `Directories do not get their modes after the deadline`() throws {
    let cancellation = Cancellation()
    let writer = try writer(cancellation, Tar.entry("d/", type: "5") + Tar.end)
    try writer.settle()
    cancellation.cancel()
    let error = #expect(throws: ArchiveError.self) { try writer.close() }
    #expect(error?.code == .cancelled)
  }

  @Test func `Ten times as many links take ten times as many steps`() throws {
    func steps(_ count: Int) throws -> UInt {
      let chain = (0..<count).flatMap { Tar.entry("\($0)", type: "1", link: "\($0 + 1)") }
      let cancellation = Cancellation()
      try writer(cancellation, chain + Tar.entry("\(count)", [1]) + Tar.end).settle()
      return cancellation.count
    }
    let (few, many) = (try steps(50), try steps(500))
    #expect(many > few && many < few * 11, "\(few) \(many)")
  }
}
#endif
