import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// As many links as an archive has room for: each costs the same, in whatever order they are and wherever they lead.
///
/// Nothing here says how long that takes. What takes the square of 20,000 steps does not come to an end in a test run.
@Suite(.slow, .timeLimit(.minutes(10)))
struct ManyLinksTests {
  static let count = 20_000
  static let body = Bytes("content".utf8)

  /// The ways to give one file many names.
  enum Shape: CaseIterable, Sendable {
    case fan, chain, chainAhead, cpio, cpioWithContent

    func archive(_ count: Int) -> Bytes {
      var archive: Bytes = []
      archive.reserveCapacity(1024 * (count + 4))
      switch self {
      case .fan, .chain:
        archive += Tar.entry("0", body)
        for number in 1..<count {
          archive += Tar.entry("\(number)", type: "1", link: self == .fan ? "0" : "\(number - 1)")
        }
        return archive + Tar.end
      case .chainAhead:
        for number in (1..<count).reversed() {
          archive += Tar.entry("\(number)", type: "1", link: "\(number - 1)")
        }
        return archive + Tar.entry("0", body) + Tar.end
      case .cpio, .cpioWithContent:
        for number in 0..<count {
          let isLast = number == count - 1
          archive += Cpio.entry(
            "\(number)", self == .cpioWithContent || isLast ? body : [], inode: 7, links: count)
        }
        return archive + Cpio.end
      }
    }
  }

  @Test(arguments: Shape.allCases, Isolation.allCases)
  func `Many names of one file are one file`(_ shape: Shape, _ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: shape.archive(Self.count))
    // Packed: each name may come with content, and descriptors are shared by all tests.
    let files = try reader.extract(options: isolation.applied(to: ExtractionOptions { $0.storage = .packed }))
    #expect(files.count == Self.count)
    #expect(files.warnings.isEmpty)
    let first = try #require(files["0"])
    #expect(try first.content == Self.body)
    #expect(files.allSatisfy { $0.file === first })
  }

  @Test(arguments: Shape.allCases, Isolation.allCases)
  func `Many names of one file are one file in a tree`(_ shape: Shape, _ isolation: Isolation) throws {
    let reader = ArchiveReader(bytes: shape.archive(Self.count))
    let tree = try reader.tree(options: isolation.applied(to: ExtractionOptions()))
    #expect(tree.warnings.isEmpty && tree.skipped.isEmpty)
    for name in ["0", "1", "\(Self.count / 2)", "\(Self.count - 1)"] {
      try tree.withPath(of: name) { path throws in
        var status = stat()
        try #require(stat(path, &status) == 0)
        #expect(Int(status.st_nlink) == Self.count)
        #expect(try Bytes(contentsOfFile: path) == Self.body)
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `One of many links is found by name, with its target`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions())
    let name = "\(Self.count - 1)"
    for shape in [Shape.chain, .chainAhead] {
      let reader = ArchiveReader(bytes: shape.archive(Self.count))
      #expect(try reader.extract(.names([name]), options: options)[name]?.content == Self.body)
      let tree = try reader.tree(.names([name]), options: options)
      #expect(try tree.withPath(of: name) { try Bytes(contentsOfFile: $0) } == Self.body)
    }
  }

  /// A tar of a file, a directory and symbolic links, each of which leads through as many others as the kernel follows, with
  /// targets as long as paths may be.
  static func longTargets(_ count: Int) -> Bytes {
    let around = String(repeating: "./d/../", count: 580)
    var archive = Tar.entry("file", body) + Tar.entry("d/", type: "5")
    for number in 0..<count {
      archive += Tar.pax("linkpath", Bytes((around + (number % 40 == 0 ? "file" : "\(number - 1)")).utf8))
      archive += Tar.entry("\(number)", type: "2", link: "x")
    }
    return archive + Tar.end
  }

  @Test(arguments: Isolation.allCases)
  func `Symbolic links with long targets lead where they say`(_ isolation: Isolation) throws {
    let archive = Self.longTargets(400)
    let options = isolation.applied(to: ExtractionOptions())
    let files = try ArchiveReader(bytes: archive).extract(options: options)
    let file = try #require(files["file"])
    #expect(files.count == 401)
    #expect(files.allSatisfy { $0.file === file })
    // The links in a path below /proc count too.
    let one = try ArchiveReader(bytes: archive).tree(.names(["395"]), options: options)
    #expect(try one.withPath(of: "395") { try Bytes(contentsOfFile: $0) } == Self.body)
  }

  @Test(arguments: Isolation.allCases)
  func `As many symbolic links are followed as the kernel follows`(_ isolation: Isolation) throws {
    var archive = Tar.entry("file", Self.body)
    for number in 0..<Self.count {
      archive += Tar.entry("\(number)", type: "2", link: number == 0 ? "file" : "\(number - 1)")
    }
    let options = isolation.applied(to: ExtractionOptions())
    let files = try ArchiveReader(bytes: archive + Tar.end).extract(options: options)
    #expect(files.names == ["file"] + (0..<40).map { "\($0)" })
    // The first 1,000 are kept, and the others counted.
    #expect(files.warnings.count == 1001)
    #expect(files.warnings.dropLast().allSatisfy { $0.text.contains("is circular") })
    #expect(files.warnings.last?.text.contains("\(Self.count - 40 - 1000)") == true)
    // The kernel's answer for the same links.
    let tree = try ArchiveReader(bytes: archive + Tar.end).tree(options: options)
    for (name, isThere) in [("39", true), ("40", false)] {
      // The links in a path below /proc would count too.
      let path = try tree.path.split(separator: "/").last! + "/" + name
      #expect((faccessat(tree.fileDescriptor.rawValue, path, R_OK, 0) == 0) == isThere)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A target that is longer than a path can be leads nowhere`(_ isolation: Isolation) throws {
    for count in [4095, 4096, 60_000] {
      let target = Bytes(String(repeating: "b/", count: count / 2).utf8) + Bytes(count % 2 == 0 ? [] : [0x63])
      try #require(target.count == count)
      let archive =
        Tar.pax("linkpath", target) + Tar.entry("link", type: "2", link: "x") + Tar.entry("a", Self.body)
      let files = try ArchiveReader(bytes: archive + Tar.end).extract(
        options: isolation.applied(to: ExtractionOptions()))
      #expect(files.names == ["a"])
      let warning = try #require(files.warnings.first)
      #expect(files.warnings.count == 1 && warning.entry == "link")
      #expect(warning.text.contains(count == 4095 ? "has no entry" : "\(count) bytes"))
      #expect(warning.text.utf8.count < 4200)
      guard count > 4095 else { continue }
      for nested in [ExtractionOptions.NestedArchives.keep, .expand] {
        let outer = nested == .keep ? archive + Tar.end : Tar.archive(Tar.entry("in", archive + Tar.end))
        let name = nested == .keep ? "link" : "in/link"
        let options = isolation.applied(to: ExtractionOptions())
        let tree = try ArchiveReader(bytes: outer).tree(options: options.nested(nested))
        #expect(tree.skipped.map(\.entry) == [name])
        #expect(tree.skipped.first?.text.contains("\(count) bytes") == true)
        #expect(
          try tree.withPath(of: nested == .keep ? "a" : "in/a") { try Bytes(contentsOfFile: $0) } == Self.body
        )
        var strict = options
        strict.brokenLinks = .reject
        let error = #expect(throws: ArchiveError.self) {
          try ArchiveReader(bytes: outer).tree(options: strict.nested(nested))
        }
        #expect(error?.code == .linkTargetUnavailable && error?.entry == name)
      }
    }
  }
}
