// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Foundation
import Glibc
import TestSupport
import Testing

@testable import MemArchive

/// Content that a host takes from a worker in pieces, and does not keep.
struct PieceTests {
  /// Two and a half pieces of content, a hole, and a small entry.
  private static let big = Bytes((0..<(5 << 19)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 11) })
  private static let archive = Tar.entry("big", big) + Tar.entry("small", [1, 2, 3]) + Tar.end

  private func blocks(
    _ stream: inout ArchiveStream
  ) throws -> (content: Bytes, size: Int64) {
    var content: Bytes = []
    let size = try stream.forEachBlock { block, offset in
      #expect(offset >= content.count, "a block came back")
      content += Bytes(repeating: 0, count: Int(offset) - content.count)
      block.withUnsafeBytes { content.append(contentsOf: $0) }
    }
    return (content + Bytes(repeating: 0, count: Int(size) - content.count), size)
  }

  @Test(arguments: Isolation.allCases)
  func `Content comes whole, within what is held for less than one entry`(_ isolation: Isolation) throws {
    let path = temporaryPath("pieces")
    defer { unlink(path) }
    try Data(Self.archive).write(to: URL(filePath: path))
    var options = isolation.applied()
    options.limits.heldBytes = 2 << 20
    var stream = try ArchiveReader(path: path).stream(options: options)
    while let entry = try stream.next() {
      #expect(try blocks(&stream).content == (entry.name == "big" ? Self.big : [1, 2, 3]))
    }
  }

  /// Where a block may be held in process, so may a piece.
  @Test(arguments: ["tar", "tar.gz", "zip"])
  func `What is held for a block is enough for a piece`(_ format: String) throws {
    let archive =
      switch format {
      case "tar": Self.archive
      case "tar.gz": Gzip.member(Self.archive)
      default: Zip.archive(.init("big", Self.big), .init("small", [1, 2, 3]))
      }
    let path = temporaryPath("pieces")
    defer { unlink(path) }
    try Data(archive).write(to: URL(filePath: path))
    func read(_ isolation: Isolation, holding bytes: Int64) throws -> Result<[Bytes], ArchiveError> {
      var options = isolation.applied()
      options.limits.heldBytes = bytes
      do {
        var stream = try ArchiveReader(path: path).stream(options: options)
        var contents: [Bytes] = []
        while try stream.next() != nil { contents.append(try blocks(&stream).content) }
        return .success(contents)
      } catch let error as ArchiveError {
        return .failure(error)
      }
    }
    var passed = 0
    for bytes in (10...20).map({ Int64(1) << $0 }) {
      let (inProcess, sandboxed) = (
        try read(.inProcess, holding: bytes), try read(.sandboxed, holding: bytes)
      )
      if case .success(let contents) = inProcess {
        passed += 1
        #expect(contents == [Self.big, [1, 2, 3]])
        #expect(sandboxed == inProcess, "\(bytes)")
      } else if case .failure(let error) = sandboxed {
        #expect(error.code == .limitExceeded)
      }
    }
    #expect(passed > 1, "no limit is below a full piece")
  }

  @Test(arguments: Isolation.allCases, Fixture.all)
  func `The blocks of a fixture are its content`(_ isolation: Isolation, _ fixture: Fixture) throws {
    var options = isolation.applied()
    options.storage = .dedicated
    func contents(_ take: (inout ArchiveStream) throws -> Bytes) throws -> [String] {
      var stream = try ArchiveReader(path: fixture.path).stream(options: options)
      var contents: [String] = []
      while let entry = try stream.next() {
        guard entry.hasContent else { continue }
        do { contents.append("\(entry.name): \(try take(&stream).hashValue)") } catch {
          contents.append("\(error)")
        }
      }
      return contents
    }
    #expect(try contents { try blocks(&$0).content } == contents { try $0.extract().content })
  }

  @Test func `Few pieces exist at a time`() throws {
    var stream = try ArchiveReader(bytes: Self.archive).stream(options: ExtractionOptions(sandbox: .required))
    _ = try stream.next()
    try stream.forEachBlock { _, _ in
      let open = OpenFiles(labelled: "piece")
      #expect(open.mappings == 1 && open.descriptors <= 3, "\(open)")
    }
    #expect(OpenFiles(labelled: "piece") == .none)
  }

  @Test(arguments: Isolation.allCases)
  func `After a body that throws, the next entry comes`(_ isolation: Isolation) throws {
    struct Enough: Error {}
    var stream = try ArchiveReader(bytes: Self.archive).stream(options: isolation.applied())
    _ = try stream.next()
    var calls = 0
    #expect(throws: Enough.self) {
      try stream.forEachBlock { _, _ in
        calls += 1
        throw Enough()
      }
    }
    #expect(calls == 1)
    #expect(try stream.next()?.name == "small")
    #expect(try stream.extract().content == [1, 2, 3])
    #expect(try stream.next() == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `A limit holds block by block, and damage is told`(_ isolation: Isolation) throws {
    var options = isolation.applied()
    options.limits.entryBytes = 1 << 20
    var stream = try ArchiveReader(bytes: Self.archive).stream(options: options)
    _ = try stream.next()
    let error = #expect(throws: ArchiveError.self) { try blocks(&stream) }
    #expect(error?.code == .limitExceeded && error?.entry == "big")
    var cut = try ArchiveReader(bytes: Self.archive.dropLast(Self.archive.count / 2) + [])
      .stream(options: isolation.applied())
    _ = try cut.next()
    let damage = #expect(throws: ArchiveError.self) { try blocks(&cut) }
    #expect(damage?.code == .truncated && damage?.entry == "big")
  }
}
#endif
