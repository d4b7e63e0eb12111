#if TESTABLE
@testable import MemArchive

extension Lie {
  /// More of anything than a host may hold, where that is 1 MiB.
  static let amounts: [Lie] = [
    Lie("attributes beyond their limit", .limitExceeded) { liar in
      try liar.begin()
      try liar.say(.header(attribute: 1 << 20))
    },
    entries,
    flood("attributes without end", 1000, attributes),
    Lie("entries without end behind a slab that never comes", .limitExceeded, storage: .packed) { liar in
      try liar.begin()
      try liar.say(.header(), .packed())
      try repeating(1000, names)(liar)
    },
    Lie("more than the ledger allows", .limitExceeded) { liar in
      try liar.begin()
      try liar.say(.header(), .own(size: 1 << 21), with: [memfd([UInt8](repeating: 0, count: 1 << 21))])
      try liar.say(.end)
    },
  ]

  package static let warnings = Lie("warnings without number, and an honest end", nil) { liar in
    try liar.begin()
    try repeating(20_000) { _ in .warning(String(repeating: "w", count: 10_000)) }(liar)
    try liar.say(.header(), .own(), with: [memfd()])
    try liar.say(.end)
  }

  package static let entries = flood("entries without end", 1000, names)
  package static let notes = flood("notes without end", 1000, note)
  package static let notesAfterSlab = Lie("notes without end behind a slab that never comes", .limitExceeded)
  {
    try $0.begin()
    try $0.say(.header(), .packed())
    try repeating(1000, note)($0)
  }

  /// 600 MB each, and an end.
  package static let gigantic = [
    flood("600 MB of warnings", 15_000) { _ in .warning(String(repeating: "w", count: 40_000)) },
    flood("600 MB of names", 15_000, names), flood("1,500 MB of attributes", 15_000, attributes),
    flood("600 MB of notes", 15_000, note),
  ]

  static let floods = gigantic + [warnings, notes, notesAfterSlab]

  private static func flood(
    _ name: String, _ count: Int, _ message: @escaping @Sendable (Int) -> WorkerMessage
  ) -> Lie {
    Lie(name, .limitExceeded) { liar in
      try liar.begin()
      try repeating(count, message)(liar)
      try liar.say(.end)
    }
  }

  private static func repeating(
    _ count: Int, _ message: @escaping @Sendable (Int) -> WorkerMessage
  ) -> (Liar) throws -> Void {
    { liar in for number in 0..<count { try liar.say(message(number)) } }
  }

  @Sendable private static func names(_ number: Int) -> WorkerMessage {
    .header(String(repeating: "x", count: 40_000) + "\(number)")
  }

  @Sendable private static func attributes(_ number: Int) -> WorkerMessage {
    .header("\(number)", attribute: 100_000)
  }

  @Sendable private static func note(_: Int) -> WorkerMessage { .note(String(repeating: "n", count: 40_000)) }
}
#endif
