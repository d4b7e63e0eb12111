import MemArchive
import TestSupport
import Testing

/// The limits of what an archive may cost.
struct LimitsTests {
  private func tar(_ sizes: Int...) -> Bytes {
    sizes.enumerated().flatMap { Tar.entry("entry\($0)", Bytes(repeating: 1, count: $1)) } + Tar.end
  }

  /// The same in this process and in the sandbox.
  private func error(_ limits: ExtractionLimits, _ bytes: Bytes) -> ArchiveError? {
    let errors = Isolation.allCases.map { isolation -> ArchiveError? in
      do throws(ArchiveError) {
        _ = try ArchiveReader(bytes: bytes).extract(
          options: isolation.applied(to: ExtractionOptions(limits: limits)))
        return nil
      } catch {
        return error
      }
    }
    #expect(
      errors.map { $0?.description } == [String?](repeating: errors[0]?.description, count: errors.count))
    return errors[0]
  }

  @Test func `Bytes at the limit pass and one more does not`() throws {
    let archive = tar(1000, 500)
    #expect(error(ExtractionLimits(totalBytes: 1500), archive) == nil)
    let total = try #require(error(ExtractionLimits(totalBytes: 1499), archive))
    #expect(total.code == .limitExceeded)
    #expect(total.entry == "entry1")
    #expect(total.reason == "what the archive unpacks to exceeds the limit totalBytes = 1499")
    // Including two kept entries.
    let large = tar(1_000_000, 500_000)
    #expect(error(ExtractionLimits(heldBytes: 1_510_000), large) == nil)
    #expect(
      error(ExtractionLimits(heldBytes: 1_499_999), large)?.reason.contains("heldBytes = 1499999") == true)
    #expect(error(ExtractionLimits(entryBytes: 1000), archive) == nil)
    let entry = try #require(error(ExtractionLimits(entryBytes: 999), archive))
    #expect(entry.entry == "entry0")
    #expect(entry.reason.contains("entryBytes = 999"))
  }

  @Test func `Entries of every kind count`() {
    let archive = Tar.archive(
      Tar.entry("a/", type: "5"), Tar.entry("b", type: "2", link: "c"), Tar.entry("c"))
    #expect(error(ExtractionLimits(entries: 3), archive) == nil)
    #expect(
      error(ExtractionLimits(entries: 2), archive)?.reason
        == "the number of entries exceeds the limit entries = 2")
  }

  /// Only the end record decides: its directory is not valid, and not read.
  @Test(arguments: [2, 70_000], Isolation.allCases)
  func `A zip's entries are counted by its end before its directory is read`(
    _ count: Int, _ isolation: Isolation
  ) throws {
    let (content, directory) = (Bytes(repeating: 0, count: 100), Bytes(repeating: 1, count: 100))
    // APPNOTE 4.3.14 and 4.3.15.
    let wide =
      [0x50, 0x4B, 6, 6] + little(UInt64(44)) + little(UInt16(45)) + little(UInt16(45)) + little(UInt64(0))
      + little(UInt64(count)) + little(UInt64(count)) + little(UInt64(directory.count))
      + little(UInt64(content.count))
    let locator =
      [0x50, 0x4B, 6, 7] + little(UInt32(0)) + little(UInt64(content.count + directory.count))
      + little(UInt32(1))
    let end = Zip.end(count: min(count, 0xFFFF), size: directory.count, offset: content.count)
    let archive =
      [0x50, 0x4B, 3, 4] + content.dropFirst(4) + directory + (count > 0xFFFF ? wide + locator : []) + end
    func error(_ entries: Int) throws -> ArchiveError? {
      let options = isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(entries: entries)))
      do throws(ArchiveError) {
        _ = try ArchiveReader(bytes: archive).entries(options: options)
        return nil
      } catch {
        return error
      }
    }
    let refusal = try #require(try error(count - 1))
    #expect(refusal.code == .limitExceeded)
    #expect(refusal.reason == "the number of entries exceeds the limit entries = \(count - 1)")
    #expect(try error(count)?.code == .corrupt)
  }

  @Test(arguments: Isolation.allCases)
  func `What was released is no longer held`(_ isolation: Isolation) throws {
    var stream = try ArchiveReader(bytes: tar(1000, 1000, 1000)).stream(
      options: isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(heldBytes: 1500))))
    var count = 0
    while try stream.next() != nil {
      #expect(try stream.extract().size == 1000)
      count += 1
    }
    #expect(count == 3)
  }

  @Test func `Actual bytes count if none are declared`() {
    let bomb = Gzip.member(Bytes(repeating: 0, count: 5_000_000))
    #expect(error(ExtractionLimits(entryBytes: 4_999_999), bomb)?.code == .limitExceeded)
    #expect(error(ExtractionLimits(entryBytes: 5_000_000), bomb) == nil)
  }

  @Test func `A declared size beyond the limit is refused before anything is read`() {
    let lie = Tar.entry("huge", Bytes("x".utf8), size: 0o77777777777) + Tar.end
    #expect(error(ExtractionLimits(entryBytes: 1 << 30), lie)?.code == .limitExceeded)
  }

  @Test func `Layers of compression are counted`() {
    let twice = Gzip.member(Gzip.member(tar(10)))
    #expect(error(ExtractionLimits(depth: 2), twice) == nil)
    #expect(error(ExtractionLimits(depth: 1), twice)?.code == .tooManyLayers)
  }

  @Test(arguments: Isolation.allCases)
  func `Blocks that are not kept count as produced`(_ isolation: Isolation) throws {
    var stream = try ArchiveReader(bytes: tar(1000)).stream(
      options: isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(totalBytes: 999))))
    _ = try stream.next()
    let error = #expect(throws: ArchiveError.self) { try stream.forEachBlock { _, _ in } }
    #expect(error?.code == .limitExceeded)
  }

  @Test(arguments: Isolation.allCases)
  func `A sparse entry counts with its logical size`(_ isolation: Isolation) throws {
    let files = try ArchiveReader(path: Fixture.path("tar-sparse-pax-1.0-all-hole.tar")).extract(
      options: isolation.applied())
    let file = try #require(files.first?.file)
    #expect(file.size > 4096)
    let limits = ExtractionLimits(entryBytes: Int64(file.size - 1))
    let error = #expect(throws: ArchiveError.self) {
      try ArchiveReader(path: Fixture.path("tar-sparse-pax-1.0-all-hole.tar")).extract(
        options: isolation.applied(to: ExtractionOptions(limits: limits)))
    }
    #expect(error?.code == .limitExceeded)
  }
}
