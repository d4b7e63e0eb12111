import FoundationEssentials

/// All that was measured, as it is written to a file.
struct Report: Encodable {
  /// Microseconds, and how many times those of the baseline.
  struct Times: Encodable {
    let median, min, max: Int
    /// The median of the ratios within each round: what slows a whole round down cancels out of it.
    let ratio: Double?

    /// - Parameters:
    ///   - durations: One a round; at least one.
    ///   - baseline: The baseline's, round for round; empty when it failed.
    init(_ durations: [Duration], baseline: [Duration]) {
      let times = durations.map { $0 / .microseconds(1) }
      median = Int(Self.median(times).rounded())
      min = Int((times.min() ?? 0).rounded())
      max = Int((times.max() ?? 0).rounded())
      let ratios = zip(durations, baseline).map { $0 / $1 }
      ratio = ratios.isEmpty ? nil : (Self.median(ratios) * 1000).rounded() / 1000
    }

    private static func median(_ values: [Double]) -> Double {
      let sorted = values.sorted()
      let middle = sorted.count / 2
      return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
  }

  /// One way on one archive: times, or why there are none.
  struct Result: Encodable {
    let way: Way
    let extracted: Times?
    let released: Times?
    let computed: Times?
    let failure: String?

    init(_ way: Way, trials: [Trial], baseline: [Trial], failure: String?) {
      self.way = way
      self.failure = failure
      guard failure == nil, !trials.isEmpty else {
        extracted = nil
        released = nil
        computed = nil
        return
      }
      extracted = Times(trials.map(\.extracted), baseline: baseline.map(\.extracted))
      released = Times(trials.map(\.released), baseline: baseline.map(\.released))
      computed = Times(trials.map(\.computed), baseline: baseline.map(\.computed))
    }

    private enum Key: String, CodingKey {
      case way, files, extracted, released, computed, failure
    }

    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: Key.self)
      try object.encode("\(way.maker)", forKey: .way)
      try object.encode(way.lifetime.rawValue, forKey: .files)
      try object.encodeIfPresent(extracted, forKey: .extracted)
      try object.encodeIfPresent(released, forKey: .released)
      try object.encodeIfPresent(computed, forKey: .computed)
      try object.encodeIfPresent(failure, forKey: .failure)
    }
  }

  /// One archive.
  struct Archive: Encodable {
    let name: String
    let files: Int
    let bytes: Int
    let rounds: Int
    let results: [Result]

    init(_ input: Input, rounds: Int, results: [Result]) {
      name = input.name
      files = input.files.count
      bytes = input.contentSize
      self.rounds = rounds
      self.results = results
    }

    subscript(way: Way) -> Result? { results.first { $0.way == way } }
  }

  let unit = "microseconds"
  let machine = Machine()
  /// The share of the processors' time that others took meanwhile.
  var bystandersPercent: Double?
  var inputs: [Archive] = []

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try (encoder.encode(self) + [0x0A]).write(to: URL(filePath: path), options: .atomic)
  }
}
