import FoundationEssentials

/// All that was measured, as it is written to a file.
struct Report: Encodable {
  /// Microseconds.
  struct Times: Encodable {
    let median, min, max: Int

    /// - Parameter durations: At least one.
    init(_ durations: [Duration]) {
      let sorted = durations.map { Int(($0 / .microseconds(1)).rounded()) }.sorted()
      let middle = sorted.count / 2
      median = sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
      min = sorted[0]
      max = sorted[sorted.count - 1]
    }
  }

  /// One way on one archive: times, or why there are none.
  struct Result: Encodable {
    let way: Way
    let extracted: Times?
    let released: Times?
    let failure: String?

    init(_ way: Way, trials: [Trial], failure: String?) {
      self.way = way
      self.failure = failure
      extracted = trials.isEmpty ? nil : Times(trials.map(\.extracted))
      released = trials.isEmpty ? nil : Times(trials.map(\.released))
    }

    private enum Key: String, CodingKey {
      case way, files, extracted, released, failure
    }

    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: Key.self)
      try object.encode("\(way.maker)", forKey: .way)
      try object.encode(way.lifetime.rawValue, forKey: .files)
      try object.encodeIfPresent(extracted, forKey: .extracted)
      try object.encodeIfPresent(released, forKey: .released)
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
  var inputs: [Archive] = []

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try (encoder.encode(self) + [0x0A]).write(to: URL(filePath: path), options: .atomic)
  }
}
