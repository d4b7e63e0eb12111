import MemArchive
import TestSupport
import Testing

/// What is kept of entries besides their content counts as held, wherever the archive is read.
@Suite(.slow) struct HeldTests {
  /// Archives of 2,000 empty entries that differ in what is kept of them, 2 KB each.
  enum Kept: CaseIterable {
    case names, links, attributes, comments

    var archive: Bytes {
      let text = Bytes(repeating: 0x78, count: 2000)
      if self == .comments {
        return Zip.archive(
          (0..<2000).map { .init("\($0)", [], comment: "\($0)" + String(decoding: text, as: UTF8.self)) })
      }
      let entries = (0..<2000).map { index -> Bytes in
        let own = Bytes("\(index)/".utf8) + text
        return switch self {
        case .names: Tar.pax("path", own) + Tar.entry("a")
        case .links: Tar.pax("linkpath", own) + Tar.entry("\(index)", type: "2", link: "a")
        default: Tar.pax("SCHILY.xattr.user.a", own) + Tar.entry("\(index)")
        }
      }
      return entries.reduce(into: []) { $0 += $1 } + Tar.end
    }
  }

  /// How an archive's entries are kept.
  enum Way: CaseIterable {
    case files, nested, tree, entries

    func read(_ archive: Bytes, _ options: ExtractionOptions) throws -> Int {
      let reader = ArchiveReader(bytes: archive)
      switch self {
      case .files: return try reader.extract(options: options).entries.count
      case .nested:
        let outer = Tar.archive(Tar.entry("in", archive))
        return try ArchiveReader(bytes: outer).extract(options: options.nested()).entries.count - 1
      case .tree: return try reader.tree(options: options).entries.count
      case .entries: return try reader.entries(options: options).count
      }
    }
  }

  private func error(_ body: () throws -> Void) throws -> ArchiveError? {
    do {
      try body()
      return nil
    } catch let error as ArchiveError {
      return error
    }
  }

  @Test(arguments: Kept.allCases, Isolation.allCases)
  func `Kept entries are held`(_ kept: Kept, _ isolation: Isolation) throws {
    let archive = kept.archive
    // A name of 2 KB cannot be in a tree, where one component has at most 255 bytes.
    for way in Way.allCases where kept != .names || way != .tree {
      var options = isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(heldBytes: 3 << 20)))
      let refusal = try #require(try error { _ = try way.read(archive, options) }, "\(way)")
      #expect(refusal.code == .limitExceeded)
      #expect(
        refusal.reason == "what is kept in memory at once exceeds the limit heldBytes = \(3 << 20)", "\(way)")
      // A zip's directory exceeds the limit before any entry does.
      #expect(refusal.entry != nil || kept == .comments)
      options.limits.heldBytes = 64 << 20
      #expect(try way.read(archive, options) == 2000, "\(way)")
    }
  }

  @Test(arguments: Isolation.allCases)
  func `Entries that are not kept are not held`(_ isolation: Isolation) throws {
    for kept in Kept.allCases where kept != .comments {
      let limits = ExtractionLimits(heldBytes: 256 << 10)
      var stream = try ArchiveReader(bytes: kept.archive).stream(
        options: isolation.applied(to: ExtractionOptions(limits: limits)))
      var count = 0
      while try stream.next() != nil { count += 1 }
      #expect(count == 2000)
    }
  }

  @Test(arguments: Isolation.allCases)
  func `If content is bounded, kept entries are too`(_ isolation: Isolation) throws {
    let name = Bytes(repeating: 0x78, count: 60_000)
    let archive = Gzip.deflated(
      (0..<1500).reduce(into: Bytes()) {
        $0 += Tar.pax("path", Bytes("\($1)/".utf8) + name) + Tar.entry("a")
      } + Tar.end)
    let options = isolation.applied(to: ExtractionOptions(limits: ExtractionLimits(totalBytes: 1 << 20)))
    let refusal = try #require(try error { _ = try ArchiveReader(bytes: archive).extract(options: options) })
    #expect(refusal.code == .limitExceeded)
    #expect(
      refusal.reason
        == "what is kept in memory at once, less 64 MiB for entries, exceeds the limit totalBytes = 1048576")
    #expect(refusal.advice == .raiseLimit(.totalBytes))
  }

  @Test(arguments: Isolation.allCases)
  func `One entry's attributes have a limit of their own`(_ isolation: Isolation) throws {
    let archive = Tar.archive(
      Tar.entry("a"), Tar.pax("SCHILY.xattr.user.a", Bytes(repeating: 0x78, count: 5000)), Tar.entry("b"))
    func error(_ attributeBytes: Int) throws -> ArchiveError? {
      let options = isolation.applied(
        to: ExtractionOptions(limits: ExtractionLimits(attributeBytes: attributeBytes)))
      return try self.error { _ = try ArchiveReader(bytes: archive).extract(options: options) }
    }
    let refusal = try #require(try error(5000))
    #expect(refusal.code == .limitExceeded)
    #expect(refusal.entry == "b")
    #expect(
      refusal.reason == "the size of its attributes and its comment exceeds the limit attributeBytes = 5000")
    #expect(try error(5200) == nil)
  }

  @Test(arguments: Isolation.allCases)
  func `Errors that are kept are held`(_ isolation: Isolation) throws {
    let archive = Zip.archive((0..<3000).map { .init("\($0)", [1], crc: 1) })
    var options = isolation.applied(to: ExtractionOptions(onError: .keepGoing))
    #expect(try ArchiveReader(bytes: archive).extract(options: options).errors.count == 3000)
    // Enough for the entries, and too little for an error for each.
    options.limits.heldBytes = 5 << 19
    #expect(
      try error { _ = try ArchiveReader(bytes: archive).extract(options: options) }?.code == .limitExceeded)
  }
}
