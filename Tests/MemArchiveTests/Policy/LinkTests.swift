import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Links are resolved inside the archive, and only there.
struct LinkTests {
  private let body = Bytes("content".utf8)

  @Test(arguments: Isolation.allCases)
  func `A hard link shares its target's file, in tar and in cpio`(_ isolation: Isolation) throws {
    let tar = try ArchiveReader(
      bytes: Tar.archive(Tar.entry("a", body), Tar.entry("b", type: "1", link: "a"))
    ).extract(options: isolation.applied())
    #expect(tar["a"] === tar["b"])
    #expect(try tar["b"]?.text == "content")
    let cpio = try ArchiveReader(path: Fixture.path("cpio-newc-hardlink.cpio")).extract(
      options: isolation.applied())
    let one = try #require(cpio["one"])
    #expect(one === cpio["two"])
    #expect(one === cpio["three"])
    #expect(one.size > 0)
  }

  /// cpio's newc format gives the content of a file with several names with the last of them.
  @Test func `A name taken by another entry does not get the content of the link that had it`() throws {
    let archive =
      Cpio.entry("one", [], inode: 7, links: 3) + Cpio.entry("two", [], inode: 7, links: 3)
      + Cpio.entry("two", [9], inode: 8, links: 1) + Cpio.entry("three", body, inode: 7, links: 3) + Cpio.end
    for sandbox in [ExtractionOptions.Sandbox.off, .required] {
      let files = try ArchiveReader(bytes: archive).extract(options: ExtractionOptions(sandbox: sandbox))
      #expect(try files["one"]?.text == "content")
      #expect(try files["two"]?.content == [9])
      #expect(files["three"] === files["one"])
    }
  }

  @Test(arguments: [1, 4], [ExtractionOptions.Sandbox.off, .required])
  func `A hard link leads to the file that had the name when it came`(
    _ parallelism: Int, _ sandbox: ExtractionOptions.Sandbox
  ) throws {
    let archive = Tar.archive(
      Tar.entry("a", Bytes("old".utf8)), Tar.entry("b", type: "1", link: "a"),
      Tar.entry("a", Bytes("newer".utf8)), Tar.entry("c", type: "1", link: "a"),
      Tar.entry("a", Bytes("newest".utf8)))
    let expected = ["b": "old", "c": "newer", "a": "newest"]
    let options = ExtractionOptions {
      $0.parallelism = parallelism
      $0.sandbox = sandbox
    }
    let reader = ArchiveReader(bytes: archive)
    let tree = try reader.tree(options: options)
    for (name, text) in expected {
      #expect(try reader.extract(options: options)[name]?.text == text)
      #expect(try reader.extract(.names([name]), options: options)[name]?.text == text)
      #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == Bytes(text.utf8))
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A hard link finds its target by another spelling of the path`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(
      bytes: Tar.archive(Tar.entry("dir/a", body), Tar.entry("b", type: "1", link: "./dir/a"))
    ).extract(options: isolation.applied())
    #expect(files["b"] === files["dir/a"])
  }

  @Test(arguments: Isolation.allCases)
  func `A hard link to itself changes nothing`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(
      bytes: Tar.archive(Tar.entry("a", body), Tar.entry("a", type: "1", link: "a"))
    ).extract(options: isolation.applied())
    #expect(try files["a"]?.text == "content")
    #expect(files.warnings.isEmpty)
  }

  @Test(arguments: Isolation.allCases)
  func `A symlink that ends at a file is another name for it`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(
      bytes: Tar.archive(
        Tar.entry("lib/libx.so.1.2", body), Tar.entry("lib/libx.so", type: "2", link: "libx.so.1"),
        Tar.entry("lib/libx.so.1", type: "2", link: "./libx.so.1.2"),
        Tar.entry("bin/x", type: "2", link: "../lib/../lib/libx.so"), Tar.entry("l", type: "2", link: "lib"),
        Tar.entry("through", type: "2", link: "l/libx.so"))
    ).extract(options: isolation.applied())
    let file = try #require(files["lib/libx.so.1.2"])
    #expect(files["lib/libx.so"] === file)
    #expect(files["bin/x"] === file)
    #expect(files["through"] === file)
    #expect(files["l"] == nil)
  }

  @Test(arguments: [
    ("../../etc/passwd", "leads out of the archive"), ("/etc/passwd", "leads out of the archive"),
    ("loop2", "is circular"), ("loop", "is circular"), ("nothing", "has no entry"),
  ])
  func `A symlink that leads nowhere is a warning`(target: String, why: String) throws {
    for isolation in Isolation.allCases {
      let files = try ArchiveReader(
        bytes: Tar.archive(
          Tar.entry("a", body), Tar.entry("loop", type: "2", link: target),
          Tar.entry("loop2", type: "2", link: "loop"))
      ).extract(options: isolation.applied())
      #expect(files.names == ["a"])
      let warning = try #require(files.warnings.first { $0.entry == "loop" })
      #expect(warning.text.contains(why))
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Selecting a link brings its target's content`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(
      bytes: Tar.archive(
        Tar.entry("a", body), Tar.entry("b", type: "1", link: "a"), Tar.entry("c", type: "2", link: "b")))
    for name in ["b", "c"] {
      let files = try reader.extract(.names([name]), options: isolation.applied())
      #expect(files.names == [name])
      #expect(try files[name]?.text == "content")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `On a pipe, a link whose target has already passed causes a warning`(_ isolation: Isolation) throws {
    let bytes = Tar.archive(Tar.entry("a", body), Tar.entry("b", type: "1", link: "a"))
    let descriptor = FileDescriptor(rawValue: try pipe(filledWith: bytes))
    defer { try? descriptor.close() }
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(descriptor: descriptor).extract(.names(["b"]), options: isolation.applied())
    }
    #expect(error?.code == .linkTargetUnavailable)
    #expect(error?.entry == "b")
  }

  @Test(arguments: Isolation.allCases)
  func `A missing name and one without content are distinguished`(_ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: Tar.archive(Tar.entry("a", body), Tar.entry("d/", type: "5")))
    #expect(throws: ArchiveError.self) { try reader.extract(.names(["A"]), options: isolation.applied()) }
    let missing = #expect(throws: ArchiveError.self) {
      try reader.extract(.names(["a", "A"]), options: isolation.applied())
    }
    #expect(missing?.code == .noSuchEntry)
    #expect(missing?.entry == "A")
    let directory = #expect(throws: ArchiveError.self) {
      try reader.extract(.names(["d/"]), options: isolation.applied())
    }
    #expect(directory?.code == .notAFile)
  }

  @Test(arguments: Isolation.allCases)
  func `Of two entries with one name the chosen one wins, and the other is noted`(_ isolation: Isolation)
    throws
  {
    let reader = ArchiveReader(
      bytes: Tar.archive(Tar.entry("a", [1]), Tar.entry("b", [2]), Tar.entry("a", [3])))
    let last = try reader.extract(options: isolation.applied())
    #expect(try last["a"]?.content == [3])
    #expect(last.names == ["b", "a"])
    #expect(last.entries.count == 3)
    #expect(last.warnings.count == 1)
    let first = try reader.extract(
      options: isolation.applied(to: ExtractionOptions { $0.duplicates = .first }))
    #expect(try first["a"]?.content == [1])
    #expect(first.names == ["a", "b"])
    let error = #expect(throws: ArchiveError.self) {
      try reader.extract(options: isolation.applied(to: ExtractionOptions { $0.duplicates = .reject }))
    }
    #expect(error?.code == .duplicateEntry)
  }

  @Test(arguments: Isolation.allCases)
  func `A closure selects`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(path: Fixture.path("tar-300-entries.tar.gz")).extract(
      .matching { $0.size ?? 0 > 0 && $0.name.hasSuffix("7") || $0.name.contains("7") },
      options: isolation.applied())
    #expect(!files.isEmpty)
    #expect(files.allSatisfy { $0.name.contains("7") })
    #expect(files.entries.count == 300)
  }
}
