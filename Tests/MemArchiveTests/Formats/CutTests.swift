import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Archives of the formats that have readers of their own, cut at every byte.
struct CutTests {
  struct Subject: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: Bytes
    /// Where the archive may end as far as its own program can tell, and the number of entries up to there.
    let ends: [Int: Int]
    /// The shortest prefix that is recognized.
    let first: Int
  }

  private static let hello = Bytes("hello".utf8)

  private static func subject(
    _ name: String, front: Bytes = [], _ parts: [Bytes], end: Bytes = [], first: Int, isOpen: Bool,
    slack: [Int] = []
  ) -> Subject {
    var (bytes, ends) = (front, isOpen ? [front.count: 0] : [:])
    for (number, part) in parts.enumerated() {
      bytes += part
      guard isOpen else { continue }
      let missing = slack.isEmpty ? 0 : slack[number]
      for count in (bytes.count - missing)...bytes.count { ends[count] = number + 1 }
    }
    if end.isEmpty { return Subject(testDescription: name, bytes: bytes, ends: ends, first: first) }
    let whole = bytes + end
    ends[whole.count] = parts.count
    return Subject(testDescription: name, bytes: whole, ends: ends, first: first)
  }

  private static func member(_ name: String, _ body: Bytes) -> Bytes {
    func field(_ text: String, _ count: Int) -> Bytes {
      Bytes(text.utf8) + Bytes(repeating: 0x20, count: count - text.utf8.count)
    }
    return field(name, 16) + field("0", 12) + field("0", 6) + field("0", 6) + field("100644", 8)
      + field("\(body.count)", 10) + Bytes("`\n".utf8) + body + (body.count.isMultiple(of: 2) ? [] : [0x0A])
  }

  private static func record(_ name: String, _ body: Bytes) -> Bytes {
    Bytes(
      "WARC/1.0\r\nWARC-Type: resource\r\nWARC-Target-URI: http://h/\(name)\r\nContent-Length: \(body.count)\r\n\r\n"
        .utf8) + body + Bytes("\r\n\r\n".utf8)
  }

  static let subjects: [Subject] = [
    // What fills up the last block may be missing.
    subject(
      "tar", [Tar.entry("a", hello), Tar.entry("b", type: "2", link: "a"), Tar.entry("c")], first: 512,
      isOpen: true, slack: [507, 0, 0]),
    subject(
      "pax", [Tar.entry("a"), Tar.pax("path", hello) + Tar.entry("b", hello)], first: 512, isOpen: true,
      slack: [0, 507]),
    subject(
      "cpio", [Cpio.entry("a", hello, inode: 1, links: 1), Cpio.entry("b", [], inode: 2, links: 1)],
      end: Cpio.end, first: 6, isOpen: false),
    // The byte that fills the last member up may be missing.
    subject(
      "ar", front: Bytes("!<arch>\n".utf8), [member("a/", hello), member("b/", hello)], first: 8,
      isOpen: true, slack: [1, 1]),
    // As may the two line ends after the last record.
    subject("warc", [record("a", hello), record("b", hello)], first: 5, isOpen: true, slack: [4, 4]),
    subject(
      "lha 0", [LHA.short(Bytes("a".utf8), hello), LHA.short(Bytes("b".utf8), hello)], end: LHA.end, first: 7,
      isOpen: true),
    subject(
      "lha 1",
      [
        LHA.extended(Bytes("d".utf8), Bytes("a".utf8), hello),
        LHA.extended(Bytes("d".utf8), Bytes("b".utf8), hello),
      ],
      end: LHA.end, first: 7, isOpen: true),
    subject(
      "lha 2", [LHA.long(Bytes("a".utf8), hello), LHA.long(Bytes("b".utf8), hello)], end: LHA.end, first: 7,
      isOpen: true),
    subject(
      "lha 3", [LHA.long(Bytes("a".utf8), hello, level: 3), LHA.long(Bytes("b".utf8), hello, level: 3)],
      end: LHA.end,
      first: 7, isOpen: true),
  ]

  @Test(arguments: subjects)
  func `Cut anywhere but at an entry's end, an archive is truncated`(_ subject: Subject) throws {
    for count in subject.first...subject.bytes.count {
      let reader = ArchiveReader(bytes: Bytes(subject.bytes.prefix(count)))
      do {
        let files = try reader.extract(options: ExtractionOptions(formats: .all))
        #expect(subject.ends[count] == files.entries.count, "\(count) bytes")
      } catch {
        #expect(subject.ends[count] == nil && error.code == .truncated, "\(count) bytes: \(error)")
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `One odd entry costs no other where reading goes on`(_ isolation: Isolation) throws {
    let bad = Tar.entry("p", Bytes("99 path=x\n".utf8), type: "x")
    let large = Tar.pax("comment", Bytes(repeating: 0x78, count: 5 << 20))
    let options = isolation.applied(to: ExtractionOptions(onError: .keepGoing))
    let rows: [(Bytes, [ArchiveError.Code])] = [
      (bad + Tar.entry("odd", Self.hello), [.corrupt]),
      (large + Tar.entry("odd", Self.hello), [.unsupportedFeature]),
      (Tar.entry("odd", Self.hello, type: "M"), [.unsupportedFeature]),
      (Tar.entry("odd", Self.hello, breakingChecksum: true), [.corrupt]),
    ]
    for (odd, codes) in rows {
      let archive = Tar.archive(Tar.entry("a", Self.hello), odd, Tar.entry("b", Self.hello))
      let files = try ArchiveReader(bytes: archive).extract(options: options)
      #expect(files.names == ["a", "b"])
      #expect(files.errors.map(\.code) == codes)
    }
    let short = Cpio.entry("odd", Self.hello, inode: 2, links: 1) + Bytes(repeating: 0x2A, count: 8)
    let cpio =
      Cpio.entry("a", Self.hello, inode: 1, links: 1) + short
      + Cpio.entry("b", Self.hello, inode: 3, links: 1) + Cpio.end
    let files = try ArchiveReader(bytes: cpio).extract(options: options)
    #expect(files.names == ["a", "odd", "b"])
    #expect(files.errors.map(\.code) == [.corrupt])
  }

  /// A writer that keeps the pipe open after the end of the archive: nobody waits for it.
  @Test(arguments: Isolation.allCases)
  func `What is already in a pipe after the end is judged, and nothing waited for`(_ isolation: Isolation)
    throws
  {
    // More than what recognizing the format takes, which is waited for.
    let body = Bytes(repeating: 0x61, count: 6000)
    let tar = Tar.archive(Tar.entry("a", body))
    let cpio = Cpio.entry("a", body, inode: 1, links: 1) + Cpio.end
    for (bytes, warnings) in [(tar, 0), (tar + tar, 1), (cpio, 0), (cpio + cpio, 1)] {
      let ends = try FileDescriptor.pipe()
      defer {
        try? ends.readEnd.close()
        try? ends.writeEnd.close()
      }
      try ends.writeEnd.writeAll(bytes)
      let files = try ArchiveReader(descriptor: ends.readEnd).extract(options: isolation.applied())
      #expect(files.names == ["a"])
      #expect(files.warnings.count == warnings)
    }
  }
}
