// An optimised build has no @testable modules, and runs none of these.
#if DEBUG
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// Whoever reads an archive, and for what, hears that the time is over.
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
    try expectDeadline(ArchiveReader(MemFile(name: "a", bytes: Fixture.bytes("zip-stored.zip"))))
    let descriptor = try FileDescriptor.open(path, .readOnly)
    try descriptor.closeAfter { try expectDeadline(ArchiveReader(descriptor: descriptor)) }
  }
}
#endif
