// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// The deadline applies to every kind of source, and to every way of reading.
struct SourceDeadlineTests {
  private func expectDeadline(_ reader: ArchiveReader, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let cancellation = Cancellation()
    let source = try reader.open([cancellation])
    var bytes = Bytes(repeating: 0, count: 4)
    #expect(try source.read(into: &bytes) == 4, sourceLocation: sourceLocation)
    cancellation.cancel()
    let error = #expect(throws: ArchiveError.self, sourceLocation: sourceLocation) {
      try source.read(into: &bytes)
    }
    #expect(error?.code == .cancelled, sourceLocation: sourceLocation)
  }

  @Test func `From a file, a descriptor, parts of a file and memory`() throws {
    let path = Fixture.path("zip-stored.zip")
    try expectDeadline(ArchiveReader(path: path))
    try expectDeadline(ArchiveReader(paths: [FilePath(path), FilePath(path)]))
    try expectDeadline(ArchiveReader(bytes: Fixture.bytes("zip-stored.zip")))
    try expectDeadline(ArchiveReader(contentsOf: MemFile(name: "a", bytes: Fixture.bytes("zip-stored.zip"))))
    let descriptor = try FileDescriptor.open(path, .readOnly)
    try descriptor.closeAfter { try expectDeadline(ArchiveReader(descriptor: descriptor)) }
  }
}
#endif
