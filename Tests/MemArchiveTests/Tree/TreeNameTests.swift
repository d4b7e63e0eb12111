import Foundation
import Glibc
import MemArchive
import Synchronization
import TestSupport
import Testing

/// Names and links that an archive must not use to escape from a tree.
struct TreeNameTests {
  private func tree(
    _ entries: Bytes..., options: ExtractionOptions = ExtractionOptions()
  ) throws -> MemTree {
    try ArchiveReader(bytes: entries.flatMap { $0 } + Tar.end).tree(options: options)
  }

  private func content(_ tree: MemTree, _ name: String) throws -> String {
    try tree.withPath(of: name) { String(decoding: try Bytes(contentsOfFile: $0), as: UTF8.self) }
  }

  private func error(_ entries: Bytes..., options: ExtractionOptions = ExtractionOptions()) -> ArchiveError? {
    #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: entries.flatMap { $0 } + Tar.end).tree(options: options)
    }
  }

  private let good = Tar.entry("good", Bytes("good".utf8))

  @Test(arguments: ["/etc/passwd", "../x", "a/../../x", "a/.."])
  func `A name that leads out is left out and listed, or refused`(_ name: String) throws {
    let tree = try tree(Tar.entry(name, [1]), good)
    #expect(tree.skipped.map(\.entry) == [name])
    #expect(try content(tree, "good") == "good")
    #expect(throws: ArchiveError.self) { try tree.path(of: name) }
    let error = error(Tar.entry(name, [1]), good, options: ExtractionOptions { $0.insecureNames = .reject })
    #expect(error?.code == .insecureName)
    #expect(error?.entry == name)
  }

  @Test(arguments: ["/", "/etc/passwd", "..", "../..", "d/../../x", "here/.."])
  func `A symbolic link that leads out is left out and listed, or refused`(_ target: String) throws {
    let entries = [
      Tar.entry("d/x", [1]), Tar.entry("here", type: "2", link: "."), Tar.entry("l", type: "2", link: target),
    ]
    let tree = try tree(entries[0], entries[1], entries[2], good)
    #expect(tree.skipped.map(\.entry) == ["l"])
    #expect(throws: ArchiveError.self) { try tree.path(of: "l") }
    let error = error(
      entries[0], entries[1], entries[2], options: ExtractionOptions { $0.insecureNames = .reject })
    #expect(error?.code == .insecureName)
    #expect(error?.entry == "l")
  }

  @Test func `A link that leads out through another one is detected`() throws {
    // By its text alone, "a/b/../z" would stay inside.
    let tree = try tree(
      Tar.entry("a/x", [1]), Tar.entry("a/b", type: "2", link: ".."),
      Tar.entry("out", type: "2", link: "a/b/../z"),
      Tar.entry("in", type: "2", link: "a/b/good"), good)
    #expect(tree.skipped.map(\.entry) == ["out"])
    #expect(try content(tree, "in") == "good")
  }

  /// Where a path leads out, Linux 6.18 starts again and counts its links twice; 41 are too many for it.
  @Test(arguments: [20, 21, 38])
  func `A link that leads out through many others is detected`(_ count: Int) throws {
    let chain = (0..<count).map { Tar.entry("n\($0)", type: "2", link: $0 == 0 ? "d" : "n\($0 - 1)") }
    // The kernel counts twice only where it has followed the link before.
    let tree = try tree(
      Tar.entry("d/", type: "5"), chain.flatMap { $0 }, Tar.entry("first", type: "2", link: "out"),
      Tar.entry("out", type: "2", link: "n\(count - 1)/../../x"),
      Tar.entry("in", type: "2", link: "n\(count - 1)/../good"), good)
    #expect(tree.skipped.map(\.entry) == ["first", "out"])
    #expect(tree.warnings.isEmpty)
  }

  /// Archives whose link "l" leads out, though it was judged when it did not, or not at all.
  private static let outlived: [(String, Bytes)] = {
    func link(_ name: String, _ target: String) -> Bytes { Tar.entry(name, type: "2", link: target) }
    func hardlink(_ name: String, _ target: String) -> Bytes { Tar.entry(name, type: "1", link: target) }
    let inner = Tar.entry("in.tar", Tar.archive(Tar.entry("d/x", [1])))
    return [
      ("a hard link to nothing replaced it", link("l", "/etc") + hardlink("l", "nothing")),
      ("one that is written differently did", link("l", "..") + hardlink("./l", "nothing")),
      ("one to a directory did", Tar.entry("d/", type: "5") + link("l", "../x") + hardlink("l", "d")),
      ("a waiting one did", hardlink("e", "nothing") + link("l", "/") + hardlink("l", "e")),
      ("an archive became a directory", inner + link("l", "in.tar/../..")),
      ("an archive later became one", link("l", "in.tar/d/../../..") + inner),
      ("it leads through another link", inner + link("m", "in.tar") + link("l", "m/../../x")),
      (
        "it is below a directory",
        Tar.entry("r/", type: "5") + inner + link("r/l", "../in.tar/../..")
      ),
      ("a hard link to such a link", inner + link("l", "in.tar/../..") + hardlink("k", "l")),
    ]
  }()

  @Test(arguments: outlived, Isolation.allCases)
  func `A link that leads out only once everything is there is left out`(
    _ row: (String, Bytes), _ isolation: Isolation
  ) throws {
    let reader = ArchiveReader(bytes: row.1 + good + Tar.end)
    var options = isolation.applied(to: ExtractionOptions())
    let tree = try reader.tree(options: options.nested())
    #expect(tree.skipped.contains { $0.entry?.last == "l" && $0.text.contains("leads out of the tree") })
    #expect(throws: ArchiveError.self) { try tree.path(of: "l") }
    #expect(throws: ArchiveError.self) { try tree.path(of: "k") }
    #expect(throws: ArchiveError.self) { try tree.path(of: "r/l") }
    #expect(try content(tree, "good") == "good")
    options.insecureNames = .reject
    let error = #expect(throws: ArchiveError.self) { try reader.tree(options: options.nested()) }
    #expect(error?.code == .insecureName)
  }

  /// openat2(2) returns EAGAIN if anything is renamed anywhere while it resolves "..", and that is quicker than a way of many
  /// thousand components.
  @Test(.timeLimit(.minutes(10))) func `Links are followed while others rename`() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let isDone = Atomic<Bool>(false)
    let hasEnded = DispatchSemaphore(value: 0)
    mkdir(directory + "/a", 0o700)
    Thread.detachNewThread {
      while !isDone.load(ordering: .relaxed) {
        rename(directory + "/a", directory + "/b")
        rename(directory + "/b", directory + "/a")
      }
      hasEnded.signal()
    }
    defer {
      isDone.store(true, ordering: .relaxed)
      hasEnded.wait()
    }
    for _ in 0..<50 {
      let up = (0..<40).map { Tar.entry("a/b/c/l\($0)", type: "2", link: "../../../good") }
      let tree = try tree(Tar.entry("a/b/c/x", [1]), up.flatMap { $0 }, good)
      #expect(tree.skipped.isEmpty)
    }
    let tree = try ArchiveReader(bytes: ManyLinksTests.longTargets(80)).tree()
    #expect(tree.skipped.isEmpty)
    // The links in a path below /proc count too.
    #expect(try content(tree, "35") == "content")
  }

  @Test func `A hard link to a symbolic link is judged by its own location`() throws {
    let tree = try tree(
      Tar.entry("a/b/l", type: "2", link: "../../good"), Tar.entry("l", type: "1", link: "a/b/l"), good)
    #expect(tree.skipped.map(\.entry) == ["l"])
    #expect(try content(tree, "a/b/l") == "good")
  }

  @Test func `An entry below a symbolic link is refused and nothing is written through it`() throws {
    let link = Tar.entry("l", type: "2", link: "/tmp")
    let refused = error(link, Tar.entry("l/memarchive-escape", [1]))
    #expect(refused?.code == .nameConflict)
    #expect(refused?.entry == "l/memarchive-escape")
    #expect(access("/tmp/memarchive-escape", F_OK) == -1)
    let tree = try tree(
      link, Tar.entry("l/memarchive-escape", [1]), good, options: ExtractionOptions(onError: .keepGoing))
    #expect(tree.errors.map(\.code) == [.nameConflict])
    #expect(try content(tree, "good") == "good")
  }

  @Test func `A file where a directory must be, and the other way around, are refused`() {
    let file = Tar.entry("a", [1])
    #expect(error(file, Tar.entry("a/b", [1]))?.code == .nameConflict)
    #expect(error(Tar.entry("a/b", [1]), file)?.code == .nameConflict)
    #expect(error(file, Tar.entry("a/", type: "5"))?.code == .nameConflict)
    #expect(error(Tar.entry("./", [], type: "1", link: "a"))?.code == .nameConflict)
  }

  @Test func `255 bytes are a name and 256 are not`() throws {
    func zip(_ name: String) -> ArchiveReader { ArchiveReader(bytes: Zip.archive(.init(name, [7]))) }
    let longest = String(repeating: "n", count: 255)
    #expect(try content(zip("d/" + longest).tree(), "d/" + longest) == "\u{7}")
    for name in ["d/" + longest + "n", longest + "n/f", String(repeating: "d/", count: 2001) + "f"] {
      let error = #expect(throws: ArchiveError.self) { try zip(name).tree() }
      #expect(error?.code == .nameTooLong)
      #expect(error?.entry == name)
    }
    let deep = String(repeating: "d/", count: 1990) + "f"
    #expect(try content(zip(deep).tree(), deep) == "\u{7}")
  }

  @Test func `The policy decides which of two entries with the same name is created`() throws {
    let twice = [
      Tar.entry("a", Bytes("1".utf8)), Tar.entry("h", type: "1", link: "a"), Tar.entry("a", Bytes("2".utf8)),
    ]
    let last = try tree(twice[0], twice[1], twice[2])
    #expect(try content(last, "a") == "2")
    // The link was made when the name still meant the other file.
    #expect(try content(last, "h") == "1")
    #expect(last.warnings.map(\.entry) == ["a"])
    let first = try tree(twice[0], twice[1], twice[2], options: ExtractionOptions { $0.duplicates = .first })
    #expect(try content(first, "a") == "1")
    let rejected = error(twice[0], twice[2], options: ExtractionOptions { $0.duplicates = .reject })
    #expect(rejected?.code == .duplicateEntry)
  }

  @Test func `The last of many zip entries with the same name is created, on several threads`() throws {
    let entries = (0..<2000).map { Zip.Entry("same", Bytes("\($0)".utf8)) }
    let tree = try ArchiveReader(bytes: Zip.archive(entries)).tree(
      options: ExtractionOptions { $0.parallelism = 4 })
    #expect(try content(tree, "same") == "1999")
  }

  @Test func `Hard links share an inode, even before their target`() throws {
    let tree = try tree(
      Tar.entry("first", type: "1", link: "second"), Tar.entry("second", type: "1", link: "file"),
      Tar.entry("file", Bytes("one".utf8)), Tar.entry("nowhere", type: "1", link: "none"))
    var status = stat()
    try tree.withPath(of: "first") { _ = stat($0, &status) }
    #expect(status.st_nlink == 3)
    #expect(tree.warnings.map(\.entry) == ["nowhere"])
    let strict = error(
      Tar.entry("nowhere", type: "1", link: "none"), options: ExtractionOptions { $0.brokenLinks = .reject })
    #expect(strict?.code == .linkTargetUnavailable)
  }

  @Test func `A hard link with the content gives it to all its names`() throws {
    for name in ["cpio-newc-hardlink.cpio", "cpio-odc-hardlink.cpio", "tar-pax-hardlink-body.tar"] {
      let files = try ArchiveReader(path: Fixture.path(name)).extract()
      let tree = try ArchiveReader(path: Fixture.path(name)).tree()
      #expect(files.count > 1)
      for (name, file) in files {
        #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == file.content)
      }
    }
  }

  @Test func `Devices and pipes are left out, and set-user-ID is taken away`() throws {
    let tree = try ArchiveReader(path: Fixture.path("tar-all-kinds.tar")).tree()
    #expect(tree.skipped.map(\.entry) == ["all/fifo", "all/character", "all/block"])
    var status = stat()
    try tree.withPath(of: "all/setuid") { _ = stat($0, &status) }
    #expect(status.st_mode & 0o7000 == 0)
    #expect(status.st_mode & 0o111 != 0)
  }

  @Test func `Every fixture unpacks into a tree or says what is in the way`() throws {
    for fixture in Fixture.all {
      do throws(ArchiveError) {
        let tree = try ArchiveReader(path: fixture.path).tree(
          options: ExtractionOptions(formats: .all, passphrases: ["secret"]))
        #expect(tree.entries.count == fixture.entries.count, "\(fixture.file)")
      } catch {
        #expect([.nameConflict, .nameTooLong].contains(error.code), "\(fixture.file): \(error)")
      }
    }
  }
}
