#if TESTABLE
@testable import MemArchive

extension Lie {
  /// Records that are no message, and messages that have no place where they are.
  static let messages: [Lie] = [
    bytes("a cut message") { record(WorkerMessage.header().payload.dropLast(3)) },
    bytes("an empty record") { record([]) },
    bytes("an unknown message") { record([0x63]) },
    bytes("a record without an end") { length(.max) + [0x78] },
    bytes("a record longer than any") { length(0xFFFF_FFF0) + [UInt8](repeating: 0x78, count: 1000) },
    bytes("a gigantic name") {
      record(WorkerMessage.header("name").payload.replacing(text("name"), with: length(.max) + [0x61]))
    },
    bytes("a name that is not UTF-8") {
      record(WorkerMessage.header("name").payload.replacing(text("name"), with: length(1) + [0xFF]))
    },
    bytes("an error of a kind that does not exist") {
      record(WorkerMessage.note("x").payload.replacing(text("corrupt"), with: text("nonsense")))
    },
    says("a failure at an entry that was none", .note("x", position: .max)),
    says("a failure before the first entry", .note("x", position: -1)),
    says("an end before the file", .header(), .end),
    Lie("words behind the end") { liar in
      try liar.begin()
      try liar.say(.header(), .own(), .end, .header(), with: [memfd()])
    },
    says("an entry that is none of the wanted", .header(answer: .no), .end),
    says("a question that nobody allowed", .header(answer: .asks)),
    says("a place that nobody asked for", .place(0), .header()),
    Lie("an index that nobody asked for") { liar in
      try liar.begin()
      try liar.say(.index(size: 3), with: [memfd()])
    },
    Lie("another version", .sandboxUnavailable) { liar in try liar.begin(version: "99") },
  ]

  private static func bytes(_ name: String, _ bytes: @escaping @Sendable () -> [UInt8]) -> Lie {
    Lie(name) { liar in
      try liar.begin()
      try liar.send(bytes())
    }
  }

  private static func says(_ name: String, _ messages: WorkerMessage...) -> Lie {
    bytes(name) { messages.reduce(into: []) { $0 += record($1.payload) } }
  }

  private static func length(_ count: UInt32) -> [UInt8] {
    var writer = BinaryEncoder()
    writer.put(count)
    return writer.bytes
  }

  private static func text(_ text: String) -> [UInt8] {
    var writer = BinaryEncoder()
    writer.put(text)
    return writer.bytes
  }

  /// One that is told after an honest beginning: the first packet, and these messages.
  static func after(
    _ honest: WorkerMessage..., named name: String, _ code: ArchiveError.Code?,
    _ tell: @escaping @Sendable (Liar) throws -> Void
  ) -> Lie {
    Lie(name, code) { liar in
      try liar.begin()
      for message in honest { try liar.say(message) }
      try tell(liar)
    }
  }
}
#endif
