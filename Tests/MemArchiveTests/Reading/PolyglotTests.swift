import MemArchive
import Testing

/// Bytes that are two archives at once.
struct PolyglotTests {
  private let tar = Tar.archive(Tar.entry("in tar", Bytes("tar".utf8)))

  @Test func `A tar with a zip behind it is a tar, with a note`() throws {
    let reader = ArchiveReader(bytes: tar + Zip.archive(Zip.Entry("in zip", Bytes("zip".utf8))))
    let files = try reader.extract()
    #expect(files.names == ["in tar"])
    #expect(files.warnings.contains { $0.text.contains(".zip") })
    let pinned = try reader.extract(options: ExtractionOptions(formats: .zip))
    #expect(pinned.names == ["in zip"])
  }

  @Test func `A tar that holds a zip draws no note`() throws {
    let zip = Zip.archive(Zip.Entry("in zip", Bytes("zip".utf8)))
    #expect(try ArchiveReader(bytes: Tar.archive(Tar.entry("z", zip))).extract().warnings.isEmpty)
    #expect(try ArchiveReader(bytes: tar).extract().warnings.isEmpty)
  }
}
