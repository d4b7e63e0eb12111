import MemArchive
import TestSupport
import Testing

/// Archives inside the archive, entry by entry: the lists and files that the dictionary has.
struct NestedStreamTests {
  /// a.tar.gz (b.tar (c), d), plain, text.gz (holds no archive), e.tar.
  private let reader: ArchiveReader = {
    let inner = Tar.entry("c", [3]) + Tar.end
    let outer = Tar.entry("b.tar", inner) + Tar.entry("./d", [4]) + Tar.end
    return ArchiveReader(
      bytes: Tar.entry("a.tar.gz", Gzip.member(outer)) + Tar.entry("plain", [1])
        + Tar.entry("text.gz", Gzip.member([5]))
        + Tar.entry("e.tar", Tar.entry("f", [6]) + Tar.end) + Tar.end)
  }()

  private static let names = [
    "a.tar.gz", "a.tar.gz/b.tar", "a.tar.gz/b.tar/c", "a.tar.gz/d", "plain", "text.gz", "e.tar", "e.tar/f",
  ]

  @Test(arguments: Isolation.allCases) func `Entries of inner archives follow them`(_ isolation: Isolation)
    async throws
  {
    let options = isolation.applied()
    let (nested, outer) = (
      try await reader.entries(options: options.nested()), try await reader.entries(options: options)
    )
    #expect(nested.map(\.name) == Self.names)
    #expect(outer.map(\.name) == ["a.tar.gz", "plain", "text.gz", "e.tar"])
  }

  @Test(arguments: Isolation.allCases) func `Files come under their long names`(_ isolation: Isolation)
    async throws
  {
    var files: [MemFile] = []
    for try await file in reader.files(options: isolation.applied().nested()) { files.append(file) }
    #expect(files.map(\.name) == Self.names)
    #expect(files.map(\.entry?.name) == Self.names)
    let whole = try await reader.extract(options: isolation.applied().nested())
    for file in files {
      #expect(try file.content == whole[file.name]?.content)
      #expect(try file.withPath { path in try Bytes(contentsOfFile: path) } == file.content)
      #expect(try file.seals.contains(.final))
    }
  }

  @Test(arguments: Isolation.allCases) func `Only what is selected comes`(_ isolation: Isolation) async throws
  {
    var names: [String] = []
    for try await file in reader.files(.glob("*/[cf]"), options: isolation.applied().nested()) {
      names.append(file.name)
    }
    #expect(names == ["a.tar.gz/b.tar/c", "e.tar/f"])
  }

  /// cpio has a file's content with the last of its names.
  @Test(arguments: Isolation.allCases) func `An archive that comes with a link is entered`(
    _ isolation: Isolation
  ) throws {
    let inner = Tar.entry("c", [3]) + Tar.end
    let reader = ArchiveReader(
      bytes: Cpio.entry("a", [], inode: 7, links: 2) + Cpio.entry("b", inner, inode: 7, links: 2) + Cpio.end)
    #expect(try reader.entries(options: isolation.applied().nested()).map(\.name) == ["a", "b", "b/c"])
  }

  @Test(arguments: Isolation.allCases) func `Damage inside is named from outside`(_ isolation: Isolation)
    async throws
  {
    let reader = ArchiveReader(
      bytes: Tar.entry("x.tar", Tar.entry("y", [1, 2]).dropLast(512) + []) + Tar.end)
    let error = await #expect(throws: ArchiveError.self) {
      try await reader.entries(options: isolation.applied().nested())
    }
    #expect(error?.code == .truncated)
    #expect(error?.entry?.hasPrefix("x.tar") == true)
    var options = isolation.applied().nested()
    options.limits.depth = 1
    let tooDeep = await #expect(throws: ArchiveError.self) {
      for try await _ in self.reader.files(options: options) {}
    }
    #expect(tooDeep?.code == .tooManyLayers)
    #expect(tooDeep?.entry == "a.tar.gz")
  }
}
