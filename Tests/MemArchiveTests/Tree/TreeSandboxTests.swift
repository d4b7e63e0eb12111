import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// A tree read by a worker equals one read by this process.
struct TreeSandboxTests {
  /// Everything visible of a tree, or its error.
  private struct Seen: Equatable {
    var lines: [String] = []
    var entries: [ArchiveEntry] = []
    var skipped: [ArchiveWarning] = []
    var warnings: [ArchiveWarning] = []
    var errors: [String] = []

    init(_ reader: ArchiveReader, _ sandbox: ExtractionOptions.Sandbox, _ options: ExtractionOptions) throws {
      var options = options
      options.sandbox = sandbox
      do throws(ArchiveError) {
        let tree = try reader.tree(options: options)
        (entries, skipped, warnings) = (tree.entries, tree.skipped, tree.warnings)
        errors = tree.errors.map { "\($0)" }
        lines = (try? Self.lines(tree)) ?? ["unreadable"]
      } catch {
        errors = ["\(error)"]
      }
    }

    /// Each entry as it is in the tree, and the number of other files.
    private static func lines(_ tree: MemTree) throws -> [String] {
      let all = try tree.withPath { top in
        try FileManager.default.subpathsOfDirectory(atPath: top).count
      }
      return try ["\(all) names"] + tree.entries.map { try line($0, tree) }
    }

    private static func line(_ entry: ArchiveEntry, _ tree: MemTree) throws -> String {
      guard let path = try? tree.path(of: entry.name) else { return "no \(entry.name)" }
      var status = stat()
      try #require(path.withPlatformString { lstat($0, &status) } == 0)
      let kind = "\(entry.name) \(status.st_mode) \(status.st_nlink) "
      // Without a time in the archive it is the current time.
      let time = entry.modified == nil ? "" : "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) "
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        var bytes = Bytes(repeating: 0, count: Int(status.st_size) + 1)
        let file = try FileDescriptor.open(path, .readOnly)
        let count = try file.closeAfter { try bytes.withUnsafeMutableBytes { try file.read(into: $0) } }
        return kind + time + "\(bytes.prefix(count).hashValue)"
      case S_IFLNK:
        var target = [CChar](repeating: 0, count: 4097)
        let count = path.withPlatformString { readlink($0, &target, target.count) }
        return kind + time + "\(target.prefix(count))"
      // A directory without an entry of its own has the current time.
      default: return kind
      }
    }
  }

  private func expectSame(
    _ reader: ArchiveReader, _ options: ExtractionOptions, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try Seen(reader, .off, options)
    let seen = try Seen(reader, .required, options)
    #expect(seen == expected, "\(seen)\n\(expected)", sourceLocation: sourceLocation)
  }

  @Test(arguments: Fixture.all)
  func `A fixture's tree is the same`(_ fixture: Fixture) throws {
    for policy in [ExtractionOptions.ErrorPolicy.stop, .keepGoing] {
      try expectSame(
        ArchiveReader(path: fixture.path),
        ExtractionOptions(formats: .all, passphrases: ["secret", "password"], onError: policy))
    }
  }

  private static let odd = Tar.archive(
    Tar.entry("x", Bytes("first".utf8)), Tar.entry("../up", Bytes("out".utf8)),
    Tar.entry("x/below", Bytes("a file is in the way".utf8)), Tar.entry("x", Bytes("second".utf8)),
    Tar.entry("large", Bytes(repeating: 7, count: 3 << 20)), Tar.entry("d/e", Bytes("e".utf8)),
    Tar.entry("d", Bytes("a directory is in the way".utf8)),
    Tar.entry("last", Bytes("last".utf8)))

  @Test(arguments: [ExtractionOptions.Duplicates.last, .first, .reject])
  func `Entries that cannot be created are reported the same, and the rest is there`(
    _ duplicates: ExtractionOptions.Duplicates
  ) throws {
    for policy in [ExtractionOptions.ErrorPolicy.stop, .keepGoing] {
      for names in [ExtractionOptions.InsecureNames.keep, .reject] {
        try expectSame(
          ArchiveReader(bytes: Self.odd),
          ExtractionOptions {
            $0.duplicates = duplicates
            $0.insecureNames = names
            $0.onError = policy
          })
      }
    }
    let kept = try ArchiveReader(bytes: Self.odd).tree(
      options: ExtractionOptions {
        $0.duplicates = duplicates
        $0.onError = .keepGoing
        $0.sandbox = .required
      })
    #expect(try kept.withPath(of: "last") { try Bytes(contentsOfFile: $0) } == Bytes("last".utf8))
    #expect(kept.errors.contains { $0.code == .nameConflict })
  }

  /// Contents around the sizes at which a worker delivers them in another way (256 KiB, 2 MiB), each starting where the one
  /// before it leaves off in the memory that is shared with it, and with pages of zeros in between.
  private static let sizes = [
    0, 1, 4095, 200_000, 100_000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3, 1 << 20, 255 << 10, 2 << 20,
    (2 << 20) + 5, 7,
  ]
  private static func content(_ size: Int) -> Bytes {
    (0..<size).map { $0 >> 13 & 3 == 1 ? 0 : UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9 &+ size) }
  }
  private static let contents = sizes.enumerated().map { ("d\($0 % 3)/\($0)", content($1)) }

  @Test(.slow) func `Contents of all sizes are the same, on one thread and on several`() throws {
    let tar = Self.contents.flatMap { Tar.entry($0.0, $0.1) } + Tar.end
    let zip = Zip.archive(Self.contents.map { Zip.Entry($0.0, $0.1) })
    for parallelism in [1, 2, 5] {
      for archive in [tar, Gzip.member(tar), zip] {
        try expectSame(ArchiveReader(bytes: archive), ExtractionOptions { $0.parallelism = parallelism })
      }
    }
  }

  @Test(.slow, arguments: [ExtractionOptions.ErrorPolicy.stop, .keepGoing])
  func `Damage among contents of all sizes is reported the same`(
    _ policy: ExtractionOptions.ErrorPolicy
  ) throws {
    for step in 2...4 {
      let zip = Zip.archive(
        Self.contents.enumerated().map { index, entry in
          Zip.Entry(entry.0, entry.1, crc: index % step == 1 ? 1 : nil)
        })
      try expectSame(ArchiveReader(bytes: zip), ExtractionOptions { $0.onError = policy })
    }
    let tar = Self.contents.map { Tar.entry($0.0, $0.1) }
    for broken in [2, 8, 11] {
      var entries = tar
      entries[broken] = Tar.entry("broken", breakingChecksum: true)
      for archive in [entries.flatMap { $0 } + Tar.end, tar.flatMap { $0 }.dropLast(1_500_000) + []] {
        try expectSame(ArchiveReader(bytes: archive), ExtractionOptions { $0.onError = policy })
      }
    }
  }

  @Test(.slow) func `More contents than the shared memory holds are the same`() throws {
    let contents = (0..<300).map { ("\($0)", Self.content(30_000 + 7919 * $0 % 400_000)) }
    let zip = Zip.archive(contents.map { Zip.Entry($0.0, $0.1) })
    for policy in [ExtractionOptions.Duplicates.last, .first] {
      try expectSame(ArchiveReader(bytes: zip), ExtractionOptions { $0.duplicates = policy })
    }
  }

  @Test func `A selection's tree is the same`() throws {
    for selection in [EntrySelection.names(["d/e", "large"]), .glob("*a*")] {
      let trees = try [ExtractionOptions.Sandbox.off, .required].map {
        try ArchiveReader(bytes: Self.odd).tree(
          selection, options: ExtractionOptions(onError: .keepGoing, sandbox: $0))
      }
      let names = try trees.map { tree in
        try tree.withPath { try FileManager.default.subpathsOfDirectory(atPath: $0).sorted() }
      }
      #expect(names[0] == names[1] && names[0].contains("large"))
    }
  }
}
