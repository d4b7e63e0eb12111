import CLimit

/// The least that reading an archive can take; see CLimit.h.
enum Limit: String, CaseIterable {
  case decoded, parsed, fastest, packed, dedicated

  /// Returns what keeps the memory files that were made.
  ///
  /// - Throws: ``NoLimit`` where the format has no such way, or something is wrong.
  func run(_ path: String) throws -> Kept {
    let kept = Kept()
    let way =
      switch self {
      case .decoded: LIMIT_DECODED
      case .parsed: LIMIT_PARSED
      case .fastest: LIMIT_FASTEST
      case .packed: LIMIT_PACKED
      case .dedicated: LIMIT_DEDICATED
      }
    let count = unsafe limit_run(path, way)
    guard count >= 0 else {
      throw NoLimit(
        description: count == Int64(LIMIT_NONE) ? "not for this format" : "it could not be decoded, or kept")
    }
    return kept
  }

  final class Kept {
    deinit { limit_release() }
  }
}

struct NoLimit: Error, CustomStringConvertible {
  let description: String
}
