// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Testing

@testable import MemArchive

extension ExtractionContext {
  static func stopped(by cancellation: Cancellation) -> Self {
    Self(ExtractionOptions(), Ledger(ExtractionLimits()), cancellation, hooks: Hooks(), recipient: .caller)
  }
}

/// The number of steps that following links takes, and that each may be the last.
struct LinkStepTests {
  private func link(_ name: String, to target: String, _ kind: ArchiveEntry.Kind = .symlink) -> ArchiveEntry {
    ArchiveEntry(.init(name: name, kind: kind, link: target))
  }

  private func file(_ name: String) -> ArchiveEntry { link(name, to: "", .file) }

  /// How often the deadline was checked, which is once for a fixed number of steps.
  private func checks(_ entries: [ArchiveEntry]) throws -> UInt {
    let cancellation = Cancellation()
    let context = ExtractionContext.stopped(by: cancellation)
    var collector = FileCollector(.all, in: context)
    for entry in entries { _ = try collector.wants(entry) }
    _ = try collector.finish(Ledger(ExtractionLimits()))
    return cancellation.count
  }

  private static let deep = String(repeating: "a/", count: 500)

  /// Links that each lead through all those before it, by directories that are links themselves, up to 40.
  private func links(_ count: Int) -> [ArchiveEntry] {
    [file(Self.deep + "file")]
      + (0..<count).flatMap { number in
        let before = number % 30 == 0 ? Self.deep : "d\(number - 1)/"
        return [
          link("d\(number)", to: before + "../a"),
          link("l\(number)", to: "d\(number)/" + String(repeating: "../a/", count: 100) + "file"),
          link("h\(number)", to: number == count - 1 ? "l0" : "h\(number + 1)", .hardlink),
        ]
      }
  }

  @Test func `Ten times as many links take ten times as many steps`() throws {
    let few = try checks(links(200))
    let many = try checks(links(2000))
    #expect(many > few && many < few * 11, "\(few) \(many)")
  }

  @Test func `A target twice as long takes twice as many steps`() throws {
    func steps(_ length: Int) throws -> UInt {
      try checks((0..<200).map { link("\($0)", to: String(repeating: "b/", count: length) + "c") })
    }
    let (short, long) = (try steps(1000), try steps(2000))
    #expect(long > short && long < short * 3, "\(short) \(long)")
  }

  @Test func `A collector checks the deadline at its end`() throws {
    let cancellation = Cancellation()
    let context = ExtractionContext.stopped(by: cancellation)
    for entries in [[file("a")], [link("l", to: "x")], [link("h", to: "x", .hardlink)]] {
      var collector = FileCollector(.all, in: context)
      for entry in entries + [file("b")] { _ = try collector.wants(entry) }
      cancellation.cancel()
      let finish = #expect(throws: ArchiveError.self) { try collector.finish(Ledger(ExtractionLimits())) }
      #expect(finish?.code == .cancelled)
    }
    var collector = FileCollector(.names(["l"]), in: context)
    for entry in [file("b"), link("l", to: "b")] { _ = try collector.wants(entry) }
    let missing = #expect(throws: ArchiveError.self) { try collector.missing(Ledger(ExtractionLimits())) }
    #expect(missing?.code == .cancelled)
  }

  @Test func `The memory that following links takes is held`() throws {
    var collector = FileCollector(.all, in: ExtractionContext(ExtractionOptions()))
    let names = (0..<100).map { "\($0)/" + String(repeating: "a/", count: 2000) + "x" }
    for entry in names.map(file) + [link("l", to: "nowhere")] { _ = try collector.wants(entry) }
    let error = #expect(throws: ArchiveError.self) {
      try collector.finish(Ledger(ExtractionLimits(heldBytes: 1 << 20)))
    }
    #expect(error?.code == .limitExceeded)
  }

  @Test func `Paths are found however they are spelled`() {
    var index = EntryIndex()
    let names = ["a/b/c", "a/b/d", "a/b", "./a//e/", "f", "a/b/c/", "/g/.", "a/bb/c", "a/b/cc", "é/ü"]
    let nodes = names.map { index.add($0.utf8Span.span) }
    #expect(Set(nodes).count == 9)
    #expect(nodes[5] == nodes[0])
    for (position, node) in nodes.enumerated() where index[node] == nil { index[node] = position }
    for (name, entry) in [
      ("a/b/c", 0), ("a/./b//c/", 0), ("a/b", 2), ("a/e", 3), ("g", 6), ("a/bb/c", 7), ("a/b/cc", 8),
      ("é/ü", 9),
      ("a", nil), ("", nil), ("a/b/c/x", nil), ("é/u", nil), ("a/b/..", nil),
    ] as [(String, Int?)] {
      #expect(index.entry(at: index.place(of: name.utf8Span.span)) == entry, "\(name)")
    }
    var place = index.place(of: "a/b/x/y".utf8Span.span)
    for entry in [nil, 2, nil] as [Int?] {
      let isThere = index.leave(&place)
      #expect(isThere)
      #expect(index.entry(at: place) == entry)
    }
    let (isBelow, isTop) = (index.leave(&place), index.leave(&place))
    #expect(isBelow && !isTop)
  }

  /// Against a dictionary.
  @Test func `A large index loses nothing`() {
    var index = EntryIndex()
    let names = (0..<5000).map { "\($0 % 7)/\($0 % 61)/\($0)" }
    for (position, name) in names.enumerated() {
      let node = index.add(name.utf8Span.span)
      index[node] = position
    }
    for (position, name) in names.enumerated() {
      #expect(index.entry(at: index.place(of: name.utf8Span.span)) == position)
      #expect(index.entry(at: index.place(of: (name + "x").utf8Span.span)) == nil)
    }
  }
}
#endif
