import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

/// Trees that take changes, that belong to others, and that have a place.
struct WritableTreeTests {
  private let archive = Tar.archive(
    Tar.entry("d/old", Bytes("old".utf8)), Tar.entry("d/gone", [1]), Tar.entry("d/sub/deep", [2]),
    Tar.entry("keep", [3]), Tar.entry("l", type: "2", link: "keep"))

  private func text(_ path: String) throws -> String {
    String(decoding: try Bytes(contentsOfFile: path), as: UTF8.self)
  }

  @Test(arguments: Isolation.allCases)
  func `What is changed is listed, and nothing else`(_ isolation: Isolation) throws {
    let tree = try ArchiveReader(bytes: archive).tree(writable: true, options: isolation.applied())
    #expect(try tree.changes() == [])
    try tree.withPath { top in
      try "newer".write(toFile: top + "/d/old", atomically: false, encoding: .utf8)
      #expect(try text(top + "/d/old") == "newer")
      #expect(unlink(top + "/d/gone") == 0)
      #expect(mkdir(top + "/d/new", 0o700) == 0)
      try "x".write(toFile: top + "/d/new/x", atomically: false, encoding: .utf8)
      #expect(chmod(top + "/keep", 0o600) == 0)
      #expect(unlink(top + "/l") == 0)
    }
    let expected: [(String, MemTree.Change.Kind)] = [
      ("d/gone", .removed), ("d/new", .added), ("d/new/x", .added), ("d/old", .modified), ("keep", .modified),
      ("l", .removed),
    ]
    #expect(try tree.changes().map(\.name) == expected.map(\.0))
    #expect(try tree.changes().map(\.kind) == expected.map(\.1))
    #expect(try tree.changes().first.map { "\($0)" } == "removed d/gone")
  }

  @Test func `A file that was only opened for writing is as it was, and one that was written is not`() throws
  {
    let tree = try ArchiveReader(bytes: archive).tree(writable: true)
    try tree.withPath { top in
      let file = open(top + "/d/old", O_RDWR)
      try #require(file >= 0)
      #expect(try tree.changes() == [])
      // Of the same size, and with the time that it had.
      var before = stat()
      try #require(fstat(file, &before) == 0 && pwrite(file, "new", 3, 0) == 3)
      let times = [before.st_atim, before.st_mtim]
      try #require(futimens(file, times) == 0 && close(file) == 0)
      #expect(try tree.changes().map(\.name) == ["d/old"])
      #expect(chmod(top + "/d/sub", 0o700) == 0)
      #expect(try tree.changes().map(\.name) == ["d/old", "d/sub"])
    }
  }

  @Test func `Changes are bounded by the memory that the archive leaves`() throws {
    let options = ExtractionOptions { $0.limits.heldBytes = 2 << 20 }
    let tree = try ArchiveReader(bytes: archive).tree(writable: true, options: options)
    try tree.withPath(of: "keep") { path in
      let file = open(path, O_WRONLY)
      defer { close(file) }
      let block = Bytes(repeating: 1, count: 1 << 20)
      #expect((0..<3).map { _ in write(file, block, block.count) }.contains { $0 < block.count })
    }
  }

  @Test
  func `Another tree of the same archive is not changed, and a tree that is not writable has no changes`()
    throws
  {
    let reader = ArchiveReader(bytes: archive)
    let (written, other) = (try reader.tree(writable: true), try reader.tree())
    try written.withPath(of: "keep") { try "more".write(toFile: $0, atomically: false, encoding: .utf8) }
    #expect(try other.withPath(of: "keep") { try Bytes(contentsOfFile: $0) } == [3])
    #expect(try other.changes() == [])
  }

  // MARK: Modes and owners

  @Test(arguments: Isolation.allCases)
  func `Without modes, what begins like a program can be executed`(_ isolation: Isolation) throws {
    let names = ["script": "#!/bin/sh\necho ran\n", "elf": "\u{7F}ELF", "text": "# no\n"]
    var zip = Zip.archive(names.map { Zip.Entry($0.key, Bytes($0.value.utf8), attributes: 0) })
    for start in zip.indices where zip[start...].starts(with: [0x50, 0x4B, 1, 2]) { zip[start + 5] = 0 }
    let tree = try ArchiveReader(bytes: zip).tree(options: isolation.applied())
    for (name, mode) in ["script": 0o755, "elf": 0o755, "text": 0o644] as [String: mode_t] {
      try tree.withPath(of: name) { path in
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == mode, "\(name)")
      }
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root gives files away"), arguments: [false, true])
  func `Files belong to whom the options say`(_ writable: Bool) throws {
    let archive = Tar.archive(
      Tar.entry("d", type: "5", userID: 7, mode: 0o755), Tar.entry("d/f", [1], userID: 7, mode: 0o600),
      Tar.entry("d/l", type: "2", link: "f", userID: 7), Tar.entry("made/g", [1], userID: 8))
    func owners(_ owner: ExtractionOptions.Owner) throws -> [uid_t] {
      let tree = try ArchiveReader(bytes: archive).tree(
        writable: writable, options: ExtractionOptions { $0.owner = owner })
      return try [".", "d", "d/f", "d/l", "made", "made/g"].map { name in
        try tree.withPath(of: name) { path in
          var status = stat()
          #expect(lstat(path, &status) == 0)
          return status.st_uid
        }
      }
    }
    #expect(try owners(.user) == [0, 0, 0, 0, 0, 0])
    #expect(try owners(.archive) == [0, 7, 7, 7, 0, 8])
    #expect(try owners(.given(user: 9, group: 9)) == [9, 9, 9, 9, 9, 9])
  }

  @Test func `Links that lead out stay where that is wanted`() throws {
    let archive = Tar.archive(
      Tar.entry("a", type: "2", link: "/etc"), Tar.entry("b", type: "2", link: "../.."),
      Tar.entry("../c", [1]))
    var options = ExtractionOptions { $0.outwardLinks = .keep }
    let tree = try ArchiveReader(bytes: archive).tree(options: options)
    #expect(tree.skipped.map(\.entry) == ["../c"])
    #expect(
      try tree.withPath(of: "a") { try FileManager.default.destinationOfSymbolicLink(atPath: $0) } == "/etc")
    options.insecureNames = .reject
    #expect(throws: ArchiveError.self) { try ArchiveReader(bytes: archive).tree(options: options) }
  }

  // MARK: Places

  @Test(.enabled(if: geteuid() == 0, "only root mounts"), arguments: [false, true])
  func `A tree has real paths while it is attached`(_ writable: Bool) throws {
    try withTemporaryDirectory { directory in
      let places = ["one", "two"].map { directory + "/" + $0 }
      for place in places { try #require(mkdir(place, 0o755) == 0) }
      let tree = try ArchiveReader(bytes: archive).tree(writable: writable)
      for _ in 0..<2 {
        let (first, second) = (try tree.attach(at: places[0]), try tree.attach(at: places[1]))
        #expect(
          try Command("realpath", ByteString((places[0] + "/l").utf8)).run().output.text == places[0]
            + "/keep\n")
        #expect(try Bytes(contentsOfFile: second.path + "/keep") == [3])
        first.detach()
        #expect(try FileManager.default.contentsOfDirectory(atPath: places[0]).isEmpty)
        #expect(try Bytes(contentsOfFile: second.path + "/keep") == [3])
        withExtendedLifetime(second) {}
      }
      // Released with the object.
      #expect(try FileManager.default.contentsOfDirectory(atPath: places[1]).isEmpty)
      #expect(try tree.withPath(of: "keep") { try Bytes(contentsOfFile: $0) } == [3])
      #expect(throws: ArchiveError.self) { try tree.attach(at: directory + "/none") }
      #expect(throws: ArchiveError.self) { try tree.attach(at: "/proc/self/exe") }
    }
  }
}
