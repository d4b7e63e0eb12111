import MemArchive
import TestSupport
import Testing

/// Bytes that are two archives at once.
struct PolyglotTests {
  private let tar = Tar.archive(Tar.entry("in tar", Bytes("tar".utf8)))

  @Test(arguments: Isolation.allCases)
  func `A tar followed by a zip is a tar, with a warning`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: tar + Zip.archive(Zip.Entry("in zip", Bytes("zip".utf8))))
    let files = try reader.extract(options: isolation.applied())
    #expect(files.names == ["in tar"])
    #expect(files.warnings.contains { $0.text.contains(".zip") })
    let pinned = try reader.extract(options: isolation.applied(to: ExtractionOptions(formats: .zip)))
    #expect(pinned.names == ["in zip"])
  }

  @Test(arguments: Isolation.allCases)
  func `A tar that contains a zip causes no warning`(_ isolation: Isolation) throws {
    let zip = Zip.archive(Zip.Entry("in zip", Bytes("zip".utf8)))
    #expect(
      try ArchiveReader(bytes: Tar.archive(Tar.entry("z", zip))).extract(options: isolation.applied())
        .warnings.isEmpty)
    #expect(try ArchiveReader(bytes: tar).extract(options: isolation.applied()).warnings.isEmpty)
  }
}
