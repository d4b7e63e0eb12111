import MemArchive
import SystemPackage
import TestSupport
import Testing

/// One entry at a time.
struct StreamTests {
  private let archive = Tar.archive(
    Tar.entry("a", Bytes("first".utf8)), Tar.entry("dir/", type: "5"), Tar.entry("b", Bytes("second".utf8)))

  @Test(arguments: Isolation.allCases)
  func `Entries can be extracted or skipped in any mixture`(_ isolation: Isolation) throws {
    var stream = try ArchiveReader(bytes: archive).stream(options: isolation.applied())
    #expect(try stream.next()?.name == "a")
    #expect(try stream.next()?.kind == .directory)
    #expect(try stream.next()?.name == "b")
    #expect(try stream.extract().text == "second")
    #expect(try stream.next() == nil)
    #expect(try stream.next() == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `An entry is extracted once, and only if it has content`(_ isolation: Isolation) throws {
    var stream = try ArchiveReader(bytes: archive).stream(options: isolation.applied())
    #expect(throws: ArchiveError.self) { try stream.extract() }
    _ = try stream.next()
    _ = try stream.extract()
    #expect(throws: ArchiveError.self) { try stream.extract() }
    _ = try stream.next()
    let error = #expect(throws: ArchiveError.self) { try stream.extract() }
    #expect(error?.code == .notAFile)
    #expect(error?.entry == "dir/")
  }

  @Test(arguments: Isolation.allCases)
  func `Blocks of an entry are passed on without a file`(_ isolation: Isolation) throws {
    var stream = try ArchiveReader(bytes: archive).stream(options: isolation.applied())
    _ = try stream.next()
    var content: Bytes = []
    let size = try stream.forEachBlock { block, offset in
      #expect(offset == Int64(content.count))
      block.withUnsafeBytes { content += $0 }
    }
    #expect(size == 5)
    #expect(content == Bytes("first".utf8))
    #expect(try stream.next()?.name == "dir/")
  }

  @Test(arguments: Isolation.allCases)
  func `A damaged entry does not keep the next one from being read`(_ isolation: Isolation) throws {
    let zip = Zip.archive(.init("bad", Bytes("bad".utf8), crc: 1), .init("good", Bytes("good".utf8)))
    var stream = try ArchiveReader(bytes: zip).stream(options: isolation.applied())
    #expect(try stream.next()?.name == "bad")
    let error = #expect(throws: ArchiveError.self) { try stream.extract() }
    #expect(error?.code == .corrupt)
    #expect(error?.entry == "bad")
    #expect(try stream.next()?.name == "good")
    #expect(try stream.extract().text == "good")
    #expect(try stream.next() == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `A loop that notes errors and continues always ends`(_ isolation: Isolation) throws {
    let cut = Bytes((Tar.entry("a", Bytes(repeating: 7, count: 5000))).prefix(3000))
    var stream = try ArchiveReader(bytes: cut).stream(options: isolation.applied())
    var errors: [ArchiveError.Code] = []
    var rounds = 0
    while rounds < 1000 {
      rounds += 1
      do throws(ArchiveError) {
        guard try stream.next() != nil else { break }
        _ = try stream.extract()
      } catch {
        errors.append(error.code)
      }
    }
    #expect(errors == [.truncated])
    #expect(rounds < 1000)
  }

  @Test(arguments: Isolation.allCases)
  func `The archive's own descriptor keeps its offset`(_ isolation: Isolation) throws {
    let descriptor = try FileDescriptor.open(FilePath(Fixture.path("tree.tar.gz")), .readOnly)
    defer { try? descriptor.close() }
    try descriptor.seek(offset: 7, from: .start)
    #expect(try ArchiveReader(descriptor: descriptor).entries(options: isolation.applied()).count > 3)
    #expect(try descriptor.seek(offset: 0, from: .current) == 7)
  }

  @Test(arguments: Isolation.allCases)
  func `A pipe is read once, and says so the second time`(_ isolation: Isolation) throws {
    let end = try pipe(filledWith: archive)
    let descriptor = FileDescriptor(rawValue: end)
    defer { try? descriptor.close() }
    let reader = ArchiveReader(descriptor: descriptor)
    #expect(try reader.extract(options: isolation.applied()).count == 2)
    let error = #expect(throws: ArchiveError.self) { try reader.entries(options: isolation.applied()) }
    #expect(error?.code == .sourceConsumed)
  }

  @Test(arguments: Isolation.allCases)
  func `Progress names the entry and ends with all bytes`(_ isolation: Isolation) throws {
    let reports = Reports()
    var options = isolation.applied()
    options.onProgress = { reports.add($0) }
    _ = try ArchiveReader(path: Fixture.path("tar-300-entries.tar.gz")).extract(options: options)
    let last = try #require(reports.all.last)
    #expect(last.bytesRead == last.bytesTotal)
    #expect(last.entries == 300)
    #expect(!last.entry.isEmpty)
  }
}

import Synchronization

private final class Reports: Sendable {
  private let reports = Mutex<[ExtractionOptions.Progress]>([])
  func add(_ report: ExtractionOptions.Progress) { reports.withLock { $0.append(report) } }
  var all: [ExtractionOptions.Progress] { reports.withLock { $0 } }
}
