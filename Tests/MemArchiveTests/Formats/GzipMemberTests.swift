import MemArchive
import TestSupport
import Testing

/// Members of BGZF, which several threads decode once there has been one.
struct GzipMemberTests {
  /// What each member decodes to: little packed, and far more than a thread decodes before it is wanted.
  private let contents: [Bytes]

  init() {
    var generator = SeededGenerator(stream: 0)
    contents = (0..<1_000).map { _ in
      (0..<600).map { _ in UInt8.random(in: 0...255, using: &generator) } + Bytes(repeating: 7, count: 8_000)
    }
  }

  private var members: [Bytes] { contents.map { Gzip.blocked(Gzip.deflated($0)) } }

  /// What comes of it, with all warnings, or the error.
  private static func outcome(
    _ bytes: Bytes, threads: Int, _ isolation: Isolation = .inProcess,
    limits: ExtractionLimits = ExtractionLimits()
  ) -> Result<[Bytes], ArchiveError> {
    let options = ExtractionOptions {
      $0.formats = .all
      $0.parallelism = threads
      $0.limits = limits
    }
    do {
      let files = try ArchiveReader(bytes: bytes).extract(options: isolation.applied(to: options))
      return .success(
        try files.names.map { try files[$0]?.content ?? [] } + files.warnings.map { Bytes("\($0)".utf8) })
    } catch let error as ArchiveError {
      return .failure(error)
    } catch {
      Issue.record(error)
      return .success([])
    }
  }

  private static func expectSame(
    _ bytes: Bytes, _ isolation: Isolation, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let (one, several) = (
      outcome(bytes, threads: 1), outcome(bytes, threads: 4, isolation)
    )
    switch (one, several) {
    case (.success(let one), .success(let several)):
      #expect(one == several, comment, sourceLocation: sourceLocation)
    case (.failure(let one), .failure(let several)):
      #expect("\(one)" == "\(several)", comment, sourceLocation: sourceLocation)
    default: Issue.record("one thread: \(one), several: \(several)", sourceLocation: sourceLocation)
    }
  }

  @Test(.seeded, arguments: Isolation.allCases)
  func `Members come in order, whatever is between them`(_ isolation: Isolation) throws {
    let members = members.flatMap(\.self)
    let content = contents.flatMap(\.self)
    #expect(try Self.outcome(members, threads: 4, isolation).get() == [content])
    let other = Bytes(repeating: 9, count: 300_000)
    let mixed = members + Gzip.member(other) + members + Gzip.blocked(Gzip.deflated([]))
    #expect(try Self.outcome(mixed, threads: 3, isolation).get() == [content + other + content])
    Self.expectSame(mixed + Bytes(repeating: 0, count: 1_000), isolation)
    Self.expectSame(mixed + Bytes("something else".utf8), isolation)
  }

  @Test(.seeded, arguments: Isolation.allCases)
  func `What is damaged, cut or garbage is what one thread says it is`(_ isolation: Isolation) {
    var generator = SeededGenerator(stream: 1)
    for _ in 0..<(isolation == .inProcess ? 12 : 3) {
      var members = members
      let number = Int.random(in: 400..<900, using: &generator)
      let offset = Int.random(in: 0..<members[number].count, using: &generator)
      members[number][offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      Self.expectSame(members.flatMap(\.self), isolation, "bit in byte \(offset) of member \(number)")
      let cut = Bytes(members.flatMap(\.self).dropLast(Int.random(in: 1..<20_000, using: &generator)))
      Self.expectSame(cut, isolation, "cut to \(cut.count)")
    }
  }

  @Test(.seeded, arguments: [1, 2, 18, 300, 500, 65_536])
  func `A member that lies about its length is decoded to its end all the same`(_ size: Int) throws {
    var members = members
    members[700] = Gzip.blocked(Gzip.deflated(contents[700]), size: size)
    #expect(try Self.outcome(members.flatMap(\.self), threads: 4).get() == [contents.flatMap(\.self)])
  }

  @Test(.seeded, arguments: Isolation.allCases)
  func `A limit holds to the byte`(_ isolation: Isolation) {
    let size = Int64(contents.reduce(0) { $0 + $1.count })
    for (limit, code) in [
      (size, nil), (size - 1, ArchiveError.Code.limitExceeded), (size / 2, .limitExceeded),
    ] {
      let outcome = Self.outcome(
        members.flatMap(\.self), threads: 4, isolation, limits: ExtractionLimits(entryBytes: limit))
      if case .failure(let error) = outcome { #expect(error.code == code) } else { #expect(code == nil) }
    }
  }

  @Test(.seeded) func `A stream that is abandoned while members are decoded leaves nothing`() throws {
    let label = "gzip-members-abandoned"
    let tar = Tar.archive((0..<40).map { Tar.entry("\(label)-\($0)", contents[$0]) }.flatMap(\.self))
    // Each piece of its own, so that there are enough packed bytes.
    var generator = SeededGenerator(stream: 2)
    let noise = Tar.entry(
      label + "-noise", (0..<2_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
    let archive = (noise + tar).chunked(60_000).map { Gzip.blocked(Gzip.member($0)) }.flatMap(\.self)
    let source = try MemFile(name: label, bytes: archive)
    for _ in 0..<50 {
      var stream = try ArchiveReader(contentsOf: source).stream(
        options: ExtractionOptions { $0.parallelism = 4 })
      _ = try stream.next()
      _ = try stream.next()
    }
    let before = OpenFiles(labelled: label)
    #expect(before.descriptors == 1)
  }
}

extension Bytes {
  fileprivate func chunked(_ size: Int) -> [Bytes] {
    stride(from: 0, to: count, by: size).map { Bytes(self[$0..<Swift.min($0 + size, count)]) }
  }
}
