#if TESTABLE
import Glibc

@testable import MemArchive

extension Lie {
  /// What a host that wants a content in pieces may be told.
  package static let pieces: [Lie] = [
    of("a piece before the one before it") { liar in
      try liar.say(.piece(offset: 3, size: 3), .piece(offset: 2, size: 3), with: [memfd(), memfd()])
    },
    of("a piece that overflows") { liar in
      try liar.say(.piece(offset: .max - 1, size: 3), with: [memfd()])
    },
    of("a piece of another size") { liar in try liar.say(.piece(offset: 0, size: 4), with: [memfd()]) },
    of("an empty piece") { liar in try liar.say(.piece(offset: 0, size: 0), with: [memfd([])]) },
    of("a piece larger than pieces are") { liar in
      let size = (1 << 20) + 1
      try liar.say(.piece(offset: 0, size: Int64(size)), with: [memfd([UInt8](repeating: 1, count: size))])
    },
    of("a piece without a seal") { liar in
      try liar.say(.piece(offset: 0, size: 3), with: [memfd(seals: 0)])
    },
    of("a piece and no descriptor") { liar in try liar.say(.piece(offset: 0, size: 3)) },
    of("less than was sent") { liar in
      try liar.say(.piece(offset: 0, size: 3), .whole(size: 2), with: [memfd()])
    },
    of("a file in place of pieces") { liar in try liar.say(.own(), with: [memfd()]) },
    of("an end in place of pieces") { liar in try liar.say(.end) },
    of("an error of another entry") { liar in
      try liar.say(.failed(.corrupt("x"), position: 7))
    },
    of("pieces without end", .limitExceeded) { liar in
      let content = [UInt8](repeating: 1, count: 1 << 16)
      for offset in stride(from: Int64(0), to: .max, by: content.count) {
        let piece = memfd(content)
        try liar.say(.piece(offset: offset, size: Int64(content.count)), with: [piece])
        close(piece)
        try liar.takeAllThatWaits()
      }
    },
  ]

  private static func of(
    _ name: String, _ code: ArchiveError.Code? = .sandboxViolation,
    _ tell: @escaping @Sendable (Liar) throws -> Void
  ) -> Lie {
    .after(.header(answer: .asks), named: name, code, tell)
  }
}
#endif
