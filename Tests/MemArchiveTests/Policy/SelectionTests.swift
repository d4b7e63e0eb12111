import MemArchive
import TestSupport
import Testing

/// Selection by pattern, and reports on links and names.
struct SelectionTests {
  private let body = Bytes("content".utf8)

  @Test(arguments: [
    (["*"], ["a.h", "d/b.h", "d/c.c"]), (["*.h"], ["a.h", "d/b.h"]), (["d/?.[ch]"], ["d/b.h", "d/c.c"]),
    (["a.h", "*.c"], ["a.h", "d/c.c"]), (["nothing"], []), (["A.H"], []),
  ])
  func `A glob matches whole names, and a star a slash too`(patterns: [String], names: [String]) throws {
    for isolation in Isolation.allCases {
      let reader = ArchiveReader(
        bytes: Tar.archive(Tar.entry("a.h", body), Tar.entry("d/b.h", body), Tar.entry("d/c.c", body)))
      var found: Set<String> = []
      for pattern in patterns {
        let options = isolation.applied(to: ExtractionOptions { $0.unmatchedSelection = .warn })
        found.formUnion(try reader.extract(.glob(pattern), options: options).names)
      }
      #expect(found == Set(names))
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Several patterns select what any of them matches`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: Tar.archive(Tar.entry("a", body), Tar.entry("b", body), Tar.entry("c")))
    #expect(try reader.extract(.glob("a", "[c-z]"), options: isolation.applied()).names == ["a", "c"])
  }

  @Test(arguments: Isolation.allCases)
  func `A glob selects a link with its target's content`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: "file")))
    let files = try reader.extract(.glob("l*"), options: isolation.applied())
    #expect(files.names == ["link"])
    #expect(try files["link"]?.text == "content")
  }

  @Test(arguments: ["../x", "/x", "link", "nothing"], Isolation.allCases)
  func `Strict links make one that leads nowhere an error`(target: String, _ isolation: Isolation) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: target)))
    #expect(try reader.extract(options: isolation.applied()).warnings.map(\.entry) == ["link"])
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(options: isolation.applied(to: ExtractionOptions { $0.brokenLinks = .reject }))
    }
    #expect(error?.code == .linkTargetUnavailable)
    #expect(error?.entry == "link")
  }

  @Test(arguments: Isolation.allCases)
  func `Strict links let good ones pass`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("file", body), Tar.entry("link", type: "2", link: "file")))
    let files = try reader.extract(
      options: isolation.applied(to: ExtractionOptions { $0.brokenLinks = .reject }))
    #expect(files["link"] === files["file"])
  }

  @Test(arguments: Isolation.allCases)
  func `Names that a dictionary considers equal are reported`(_ isolation: Isolation) throws {
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
    let files = try ArchiveReader(
      bytes: Tar.archive(Tar.entry(composed, body), Tar.entry(decomposed, Bytes("other".utf8)))
    ).extract(options: isolation.applied())
    #expect(files.count == 2)
    #expect(files.dictionary.count == 1)
    #expect(files.warnings.map(\.entry) == [decomposed])
    #expect(try files[composed]?.text == "content")
    #expect(try files[decomposed]?.text == "other")
  }
}
