import MemArchive

/// The errors of one archive, as far as they can be kept.
final class Failures {
  private(set) var kept: [FailureRecord] = []
  private(set) var count = 0
  private var counts: [String: Int] = [:]
  private var cost: Int64 = 0
  /// Called with each error.
  var observer: ((FailureRecord) -> Void)?

  /// Upper bounds of what is kept; a hostile archive can have millions.
  private static let (most, highestCost) = (1000, Int64(1 << 20))

  /// How many errors there were of each code.
  var byCode: [Refusals] {
    counts.sorted { $0.key < $1.key }.map { Refusals(code: $0.key, count: $0.value) }
  }

  /// - Parameter text: What standard error has of it.
  func note(_ error: ArchiveError, _ text: String) {
    count += 1
    counts["\(error.code)", default: 0] += 1
    cost += error.cost
    let isKept = kept.isEmpty || kept.count < Self.most && cost <= Self.highestCost
    guard isKept || observer != nil else { return }
    let record = FailureRecord(
      name: error.entry, code: "\(error.code)", error: text, status: ExitStatus(error).code)
    if isKept { kept.append(record) }
    observer?(record)
  }
}

/// One error as `test --json` has it.
struct FailureRecord: Encodable {
  let name: String?
  let code, error: String
  let status: Int32
}

/// The number of errors of one code.
struct Refusals: Encodable {
  let code: String
  let count: Int
}
