#if TESTABLE
import Glibc

@testable import MemArchive

extension Lie {
  /// What a host that copies content from a window may be told.
  package static let window: [Lie] = [
    of("content in the window", nil) { liar in
      try liar.say(.inWindow(), .end)
    },
    of("content in parts", nil) { liar in
      try liar.say(.inPart(size: 2), .inPart(offset: 2, size: 1, place: 2), .inParts(), .end)
    },
    of("a hole in parts", nil) { liar in try liar.say(.inParts(), .end) },
    of("content beyond the window") { liar in try liar.say(.inWindow(offset: 1 << 40)) },
    of("content beyond all numbers") { liar in try liar.say(.inWindow(offset: .max)) },
    of("content in two panes") { liar in try liar.say(.inWindow(offset: pane - 1)) },
    of("content larger than a pane") { liar in try liar.say(.inWindow(size: pane + 1)) },
    of("content in the window that nobody asked for") { liar in try liar.say(.inWindow(position: 1)) },
    of("content in the window twice") { liar in try liar.say(.inWindow(), .inWindow()) },
    of("a file where the window is") { liar in try liar.say(.own(), with: [memfd()]) },
    of("a slab where the window is") { liar in try liar.say(.packed(), .slab(), with: [memfd()]) },
    of("a part beyond the window") { liar in try liar.say(.inPart(place: 1 << 40)) },
    of("a part in two panes") { liar in try liar.say(.inPart(place: pane - 1)) },
    of("a part larger than a pane") { liar in try liar.say(.inPart(size: pane + 1)) },
    of("an empty part") { liar in try liar.say(.inPart(size: 0)) },
    of("a part before the one before it") { liar in try liar.say(.inPart(offset: 3), .inPart(offset: 2)) },
    of("a part that overflows") { liar in try liar.say(.inPart(offset: .max - 1)) },
    of("a part that nobody asked for") { liar in try liar.say(.inPart(position: 1)) },
    of("less than its parts") { liar in try liar.say(.inPart(), .inParts(size: 2)) },
    of("parts of a whole") { liar in try liar.say(.inPart(), .inWindow()) },
    of("a part of what has come") { liar in try liar.say(.inWindow(), .inPart()) },
    of("parts of too many files") { liar in
      for number in Int64(1)...1000 {
        try liar.say(.header("\(number)"), .inPart(position: number))
      }
    },
    of("an end in place of parts") { liar in try liar.say(.inPart(), .end) },
    of("parts without end", .limitExceeded) { liar in
      for number in Int64(0)..<1000 { try liar.say(.inPart(offset: number * pane, size: pane)) }
    },
    of("parts far apart", .limitExceeded) { liar in try liar.say(.inPart(offset: 1 << 50)) },
    of("a hole without end", .limitExceeded) { liar in try liar.say(.inParts(size: 1 << 50), .end) },
    of("contents without end", .limitExceeded) { liar in
      for number in Int64(1)...1000 {
        try liar.say(.header("\(number)", size: pane), .inWindow(position: number, size: pane))
      }
      try liar.say(.inWindow(), .end)
    },
    // What it said before is believed.
    of("a part of what has failed", .corrupt) { liar in
      try liar.say(.inPart(), .note("damaged", position: 0), .inPart(offset: 3))
    },
  ]

  private static let pane: Int64 = 256 << 10

  private static func of(
    _ name: String, _ code: ArchiveError.Code? = .sandboxViolation,
    _ tell: @escaping @Sendable (Liar) throws -> Void
  ) -> Lie {
    .after(.header(), named: name, code, tell)
  }
}

extension WorkerMessage {
  fileprivate static func inWindow(position: Int64 = 0, size: Int64 = 3, offset: Int64 = 0) -> Self {
    .file(position: position, size: size, .window(offset: offset))
  }

  fileprivate static func inParts(position: Int64 = 0, size: Int64 = 3) -> Self {
    .file(position: position, size: size, .parts)
  }

  fileprivate static func inPart(
    position: Int64 = 0, offset: Int64 = 0, size: Int64 = 3, place: Int64 = 0
  ) -> Self {
    .part(position: position, offset: offset, size: size, place: place)
  }
}
#endif
