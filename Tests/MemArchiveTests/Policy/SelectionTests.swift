import MemArchive
import Testing

/// What is taken of an archive by pattern, and what is said of links and names that do not fit.
struct SelectionTests {
  private let body = Bytes("content".utf8)

  @Test(arguments: [
    (["*"], ["a.h", "d/b.h", "d/c.c"]), (["*.h"], ["a.h", "d/b.h"]), (["d/?.[ch]"], ["d/b.h", "d/c.c"]),
    (["a.h", "*.c"], ["a.h", "d/c.c"]), (["nothing"], []), (["A.H"], []),
  ])
  func `A glob matches whole names, and a star a slash too`(patterns: [String], names: [String]) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("a.h", body), Tar.entry("d/b.h", body), Tar.entry("d/c.c", body)))
    var found: Set<String> = []
    for pattern in patterns { found.formUnion(try reader.extract(.glob(pattern)).names) }
    #expect(found == Set(names))
  }

  @Test func `Several patterns select what any of them matches`() throws {
    let reader = ArchiveReader(bytes: Tar.archive(Tar.entry("a", body), Tar.entry("b", body), Tar.entry("c")))
    #expect(try reader.extract(.glob("a", "[c-z]")).names == ["a", "c"])
  }

  @Test func `A glob selects a link with its target's content`() throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: "file")))
    let files = try reader.extract(.glob("l*"))
    #expect(files.names == ["link"])
    #expect(try files["link"]?.text == "content")
  }

  @Test(arguments: ["../x", "/x", "link", "nothing"])
  func `Strict links make one that leads nowhere an error`(target: String) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: target)))
    #expect(try reader.extract().warnings.map(\.entry) == ["link"])
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(options: ExtractionOptions(strictLinks: true))
    }
    #expect(error?.code == .linkTargetUnavailable)
    #expect(error?.entry == "link")
  }

  @Test func `Strict links let good ones pass`() throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: "file")))
    let files = try reader.extract(options: ExtractionOptions(strictLinks: true))
    #expect(files["link"] === files["file"])
  }

  @Test func `Names that a dictionary takes for one are told`() throws {
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
    let files = try ArchiveReader(
      bytes: Tar.archive(Tar.entry(composed, body), Tar.entry(decomposed, Bytes("other".utf8)))
    ).extract()
    #expect(files.count == 2)
    #expect(files.dictionary.count == 1)
    #expect(files.warnings.map(\.entry) == [decomposed])
    #expect(try files[composed]?.text == "content")
    #expect(try files[decomposed]?.text == "other")
  }
}
