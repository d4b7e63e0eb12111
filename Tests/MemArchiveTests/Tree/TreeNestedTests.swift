import Foundation
import MemArchive
import TestSupport
import Testing

/// Archives inside archives as directories of a tree, one of them damaged or refused.
struct TreeNestedTests {
  private static let good = Zip.archive(Zip.Entry("d/x", Bytes("good".utf8)))
  private static let bad = Zip.archive(Zip.Entry("before", [1]), Zip.Entry("bad", [2], crc: 1))

  private func archive(_ inner: Bytes) -> Bytes {
    Tar.archive(
      Tar.entry("first", [1]),
      Tar.entry(
        "in.tar",
        Tar.archive(Tar.entry("dir/good.zip", Self.good), Tar.entry("dir/inner", inner), Tar.entry("y", [3]))),
      Tar.entry("last", [4]))
  }

  @Test(arguments: Isolation.allCases)
  func `Damage two archives deep is reported`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions())
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: archive(Self.bad)).tree(options: options.nested())
    }
    #expect(error?.code == .corrupt)
    #expect(error?.entry == "in.tar/dir/inner/bad")
  }

  @Test(arguments: Isolation.allCases)
  func `What is intact around the damage is kept under keepGoing`(_ isolation: Isolation) throws {
    let options = isolation.applied(to: ExtractionOptions(onError: .keepGoing))
    let tree = try ArchiveReader(bytes: archive(Self.bad)).tree(options: options.nested())
    #expect(tree.errors.map(\.entry) == ["in.tar/dir/inner/bad"])
    #expect(
      try tree.withPath { try FileManager.default.subpathsOfDirectory(atPath: $0) }.sorted() == [
        "first", "in.tar", "in.tar/dir", "in.tar/dir/good.zip", "in.tar/dir/good.zip/d",
        "in.tar/dir/good.zip/d/x", "in.tar/dir/inner", "in.tar/dir/inner/before", "in.tar/y", "last",
      ])
  }

  /// A link that leads out is detected once everything else in its archive is in place.
  @Test(arguments: Isolation.allCases)
  func `Nothing is left of an archive that is refused at its end`(_ isolation: Isolation) throws {
    let refused = Tar.archive(
      Tar.entry("closed/", type: "5"), Tar.entry("closed/deeper/file", [5]),
      Tar.entry("out", type: "2", link: "../../../up"))
    let options = isolation.applied(
      to: ExtractionOptions {
        $0.insecureNames = .reject
        $0.onError = .keepGoing
      })
    let tree = try ArchiveReader(bytes: archive(refused)).tree(options: options.nested())
    #expect(tree.errors.map(\.code) == [.insecureName])
    #expect(tree.errors.map(\.entry) == ["in.tar/dir/inner/out"])
    #expect(try tree.withPath(of: "in.tar/dir/inner") { try Bytes(contentsOfFile: $0) } == refused)
    #expect(try tree.withPath(of: "in.tar/y") { try Bytes(contentsOfFile: $0) } == [3])
    let stopped = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: archive(refused)).tree(
        options: isolation.applied(to: ExtractionOptions { $0.insecureNames = .reject }).nested())
    }
    #expect(stopped?.code == .insecureName)
  }
}
