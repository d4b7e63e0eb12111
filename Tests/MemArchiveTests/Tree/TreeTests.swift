import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

extension ExtractionContext {
  /// A tree made by one of the methods.
  static func making(_ way: Hooks.MountMethod, _ options: ExtractionOptions = ExtractionOptions()) -> Self {
    Self(options, hooks: .init(mountMethod: way))
  }
}

/// Entries under their real names, whichever process makes the file system.
struct TreeTests {
  /// The process's own mount needs a capability that only root has.
  static let ways: [ExtractionContext.Hooks.MountMethod] = geteuid() == 0 ? [.helper, .own] : [.helper]

  @Test(arguments: ways)
  func `Every file of an archive has its name, content, mode and time`(
    _ way: ExtractionContext.Hooks.MountMethod
  )
    throws
  {
    for name in [
      "tree.tar.gz", "zip-deflated.zip", "7z-lzma2.7z", "cpio-newc.cpio", "tar-300-entries.tar.gz",
    ] {
      let reader = ArchiveReader(path: Fixture.path(name))
      let files = try reader.extract()
      let tree = try reader.tree(in: .making(way))
      #expect(tree.entries == files.entries)
      #expect(tree.skipped.isEmpty)
      #expect(!files.isEmpty)
      for (name, file) in files {
        try tree.withPath(of: name) { path throws in
          #expect(try Bytes(contentsOfFile: path) == file.content)
          var status = stat()
          try #require(stat(path, &status) == 0)
          if let entry = file.entry, NameText(entry.name) == NameText(name) {
            if let mode = entry.mode { #expect(status.st_mode & 0o7777 == UInt32(mode) & 0o777 | 0o400) }
            if let time = entry.modified { #expect(Int64(status.st_mtim.tv_sec) == time.seconds) }
          }
          #expect(status.st_uid == geteuid())
          #expect(status.st_gid == getegid())
        }
      }
    }
  }

  private struct NameText: Equatable {
    let bytes: [UInt8]
    init(_ name: String) { bytes = Array(name.utf8) }
  }

  @Test(arguments: ways)
  func `Nothing in a tree can be changed, removed or added`(_ way: ExtractionContext.Hooks.MountMethod) throws
  {
    let tree = try ArchiveReader(path: Fixture.path("tree.tar.gz")).tree(in: .making(way))
    try tree.withPath(of: "tree/hello.txt") { path throws in
      for flags in [O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC] { #expect(failure(open(path, flags)) == EROFS) }
      #expect(failure(open(path + ".new", O_CREAT | O_WRONLY, 0o600)) == EROFS)
      #expect(failure(unlink(path)) == EROFS)
      #expect(failure(chmod(path, 0o777)) == EROFS)
      #expect(failure(rename(path, path + "2")) == EROFS)
      #expect(failure(symlink("x", path + ".link")) == EROFS)
      #expect(try Bytes(contentsOfFile: path) == Bytes("Hello, sealed world.\n".utf8))
    }
    try tree.withPath { path in #expect(failure(mkdir(path + "/new", 0o700)) == EROFS) }
  }

  /// The error number of a call that has to fail.
  private func failure(_ result: CInt) -> CInt { result < 0 ? errno : 0 }

  @Test(arguments: ways)
  func `A tree is one descriptor, and goes with its last reference`(
    _ way: ExtractionContext.Hooks.MountMethod
  )
    throws
  {
    let path: String
    do {
      let tree = try ArchiveReader(path: Fixture.path("tar-300-entries.tar.gz")).tree(in: .making(way))
      path = try tree.path
      // The last component is random: no other test's tree has it.
      #expect(access(path, R_OK) == 0)
      #expect(mounts(like: tree) == 1)
      withExtendedLifetime(tree) {}
    }
    #expect(access(path, R_OK) == -1)
  }

  /// The number of this process's descriptors in the tree's file system.
  private func mounts(like tree: MemTree) -> Int {
    var own = stat()
    guard fstat(tree.fileDescriptor.rawValue, &own) == 0 else { return -1 }
    return (0..<1024).count { number in
      var status = stat()
      return fstat(CInt(number), &status) == 0 && status.st_dev == own.st_dev
    }
  }

  @Test func `A file that is open outlives its tree`() throws {
    let descriptor = try ArchiveReader(path: Fixture.path("tree.tar.gz")).tree().withPath(
      of: "tree/hello.txt"
    ) {
      open($0, O_RDONLY | O_CLOEXEC)
    }
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var bytes = Bytes(repeating: 0, count: 5)
    #expect(pread(descriptor, &bytes, 5, 0) == 5)
    #expect(bytes == Bytes("Hello".utf8))
  }

  @Test func `A path below a tree is never one of the host's`() throws {
    let tree = try ArchiveReader(bytes: Tar.archive(Tar.entry("etc/passwd", Bytes("mine".utf8)))).tree()
    try tree.withPath(of: "etc/passwd") { path throws in
      #expect(try Bytes(contentsOfFile: path) == Bytes("mine".utf8))
      // The mount has no mount point, so there is no real path; the result must not be /etc/passwd.
      let resolved = realpath(path, nil).map { String(cString: $0) }
      #expect(resolved == nil)
    }
  }

  @Test func `Another process of the user reads by the external path`() throws {
    let tree = try ArchiveReader(path: Fixture.path("tree.tar.gz")).tree()
    let path = try tree.externalPath + "/tree/hello.txt"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/cat")
    process.arguments = [path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd()
    process.waitUntilExit()
    #expect(output == Data("Hello, sealed world.\n".utf8))
    withExtendedLifetime(tree) {}
  }

  @Test func `A selected link comes with its target`() throws {
    let archive = Tar.archive(
      Tar.entry("d/file", Bytes("content".utf8)), Tar.entry("d/other", [1]),
      Tar.entry("way", type: "2", link: "d/file"), Tar.entry("link", type: "2", link: "way"),
      Tar.entry("hard", type: "1", link: "d/file"))
    for name in ["link", "hard"] {
      let tree = try ArchiveReader(bytes: archive).tree(.names([name]))
      #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == Bytes("content".utf8))
      #expect(throws: ArchiveError.self) { try tree.path(of: "d/other") }
      #expect(try tree.path(of: "d/file").hasSuffix("/d/file"))
    }
    let missing = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: archive).tree(.names(["no"]))
    }
    #expect(missing?.code == .noSuchEntry)
  }

  @Test func `An archive inside the archive is a directory when it is expanded`() throws {
    let inner = Tar.archive(Tar.entry("./a/b", Bytes("deep".utf8)), Tar.entry("up", type: "2", link: "../x"))
    let archive = Tar.archive(
      Tar.entry("x", [1]), Tar.entry("in.tar", inner), Tar.entry("d/in.tar.gz", Gzip.member(inner)))
    let tree = try ArchiveReader(bytes: archive).tree(options: ExtractionOptions(nestedArchives: .expand))
    for name in ["in.tar/a/b", "d/in.tar.gz/a/b"] {
      #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == Bytes("deep".utf8))
    }
    #expect(tree.skipped.map(\.entry) == ["in.tar/up", "d/in.tar.gz/up"])
    let kept = try ArchiveReader(bytes: archive).tree()
    #expect(try kept.withPath(of: "in.tar") { try Bytes(contentsOfFile: $0) } == inner)
    let one = try ArchiveReader(bytes: archive).tree(
      .names(["d/in.tar.gz/a/b"]), options: ExtractionOptions(nestedArchives: .expand))
    #expect(throws: ArchiveError.self) { try one.path(of: "in.tar") }
    #expect(try one.withPath(of: "d/in.tar.gz/a/b") { try Bytes(contentsOfFile: $0) } == Bytes("deep".utf8))
  }

  @Test func `The async form makes the same tree`() async throws {
    let tree = try await ArchiveReader(path: Fixture.path("tree.tar.gz")).tree()
    #expect(try tree.withPath(of: "tree/hello.txt") { try Bytes(contentsOfFile: $0).count } == 21)
  }

  @Test func `A tree of links leads to sealed files`() throws {
    let files = try ArchiveReader(path: Fixture.path("tree.tar.gz")).extract(
      options: ExtractionOptions { $0.storage = .packed })
    let tree = try MemTree(linking: files)
    for (name, file) in files {
      try tree.withPath(of: name) { path throws in
        #expect(try Bytes(contentsOfFile: path) == file.content)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        // F_GET_SEALS, with all but F_SEAL_EXEC.
        #expect(fcntl(descriptor, 1034) & 0xF == 0xF)
      }
    }
  }

  @Test func `A file has a path with any name`() throws {
    let file = try MemFile(name: "drawing", bytes: Bytes("<svg/>".utf8))
    let content = try file.withPath(named: "x.svg") { path throws in
      #expect(path.hasSuffix("/x.svg"))
      return try Bytes(contentsOfFile: path)
    }
    #expect(content == Bytes("<svg/>".utf8))
    for name in ["", ".", "..", "a/b", "/x", "x/"] {
      let error = #expect(throws: ArchiveError.self) { try file.withPath(named: name) { _ in } }
      #expect(error?.code == .insecureName, "\(name)")
    }
    let long = #expect(throws: ArchiveError.self) {
      try file.withPath(named: String(repeating: "x", count: 256)) { _ in }
    }
    #expect(long?.code == .nameTooLong)
  }
}
