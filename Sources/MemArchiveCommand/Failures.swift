import MemArchive

/// The errors of one archive, as far as they can be kept.
final class Failures {
  private(set) var kept: [FailureRecord] = []
  private(set) var count = 0
  private var cost: Int64 = 0

  /// Upper bounds of what is kept; a hostile archive can have millions.
  private static let (most, highestCost) = (1000, Int64(1 << 20))

  /// - Parameter text: What standard error has of it.
  func note(_ error: ArchiveError, _ text: String) {
    count += 1
    cost += error.cost
    guard kept.isEmpty || kept.count < Self.most && cost <= Self.highestCost else { return }
    kept.append(
      FailureRecord(name: error.entry, code: "\(error.code)", error: text, status: ExitStatus(error).code))
  }
}

/// One error as `test --json` has it.
struct FailureRecord: Encodable {
  let name: String?
  let code, error: String
  let status: Int32
}
