#if TESTABLE
import Glibc

@testable import MemArchive

extension Lie {
  /// Files in memory that they share.
  static let slabs: [Lie] = [
    packed("a range beyond its slab") { liar in
      try liar.say(.header(), .packed(offset: 1), .slab(), with: [memfd()])
    },
    packed("a slab that no file lies in") { liar in try liar.say(.header(), .slab(), with: [memfd()]) },
    packed("a file in a slab that was complete") { liar in
      try liar.say(
        .header(), .header("b"), .header("c"), .packed(position: 2, slab: 2), .packed(), .slab(),
        .packed(position: 1), with: [memfd()])
    },
    packed("a file larger than its slab") { liar in
      try liar.say(.header(), .packed(size: 4), .slab(), with: [memfd()])
    },
    packed("a range beyond all numbers") { liar in
      try liar.say(.header(), .packed(size: .max, offset: .max))
    },
    packed("one slab twice") { liar in
      try liar.say(.header(), .packed(), .slab(), .slab(), with: [memfd(), memfd()])
    },
    packed("a slab that never comes") { liar in try liar.say(.header(), .packed(), .end) },
    packed("an unsealed slab") { liar in
      try liar.say(.header(), .packed(), .slab(), with: [memfd(seals: 0)])
    },
    packed("memory behind a slab that never comes", .limitExceeded) { liar in
      try liar.say(.header(), .packed(size: 1 << 62, slab: 0))
      for number in 1...3 {
        try liar.say(
          .header("\(number)", size: half),
          .packed(position: Int64(number), size: half, slab: UInt32(number)),
          .slab(UInt32(number), size: half), with: [memfd(zeros)])
      }
    },
    packed("more than its slab has, many times over", .limitExceeded) { liar in
      for number in 0..<4 {
        try liar.say(.header("\(number)", size: half), .packed(position: Int64(number), size: half))
      }
      try liar.say(.slab(size: half), .end, with: [memfd(zeros)])
    },
  ]

  /// Half of what a host may hold.
  private static let half: Int64 = 1 << 19
  private static let zeros = [UInt8](repeating: 0, count: 1 << 19)

  private static func packed(
    _ name: String, _ code: ArchiveError.Code? = .sandboxViolation,
    _ tell: @escaping @Sendable (Liar) throws -> Void
  ) -> Lie {
    Lie(name, code, storage: .packed) { liar in
      try liar.begin()
      try tell(liar)
    }
  }
}
#endif
