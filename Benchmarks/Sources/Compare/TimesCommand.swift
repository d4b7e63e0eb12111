import ArgumentParser

struct TimesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "times",
    abstract: "Time every way on one archive, in turn.",
    discussion: """
      Each way runs once to check every byte and to warm up, then once a round; the order changes from round to round.
      """)

  @Argument(help: "The archive.")
  var archive: String

  @Option(name: .long, help: "Timed rounds; archives of less than 64 KiB of content get ten times as many.")
  var rounds = 5

  @Option(name: .long, help: "Only the ways whose names begin like this. May be repeated; by default all.")
  var only: [String] = []

  private var ways: [Way] {
    Way.all.filter { way in only.isEmpty || only.contains { "\(way)".hasPrefix($0) } }
  }

  func validate() throws {
    guard rounds > 0 else { throw ValidationError("--rounds must be at least 1.") }
    guard !ways.isEmpty else { throw ValidationError("No way begins like that.") }
  }

  func run() throws {
    DescriptorLimit.raise()
    let input = try Input(path: archive)
    var results = Dictionary(uniqueKeysWithValues: ways.map { ($0, Trials()) })
    for way in ways { results[way]?.attempt { _ in try way.verify(input) } }
    // What takes a few milliseconds needs more rounds for a median that holds.
    let rounds = input.contentSize < 64 << 10 ? rounds * 10 : rounds
    for round in 0..<rounds {
      for way in order(round) {
        results[way]?.attempt { times in times.append(try way.time(input)) }
      }
    }
    try JSON.print(
      Report(
        archive: input.name, files: input.files.count, bytes: input.contentSize, rounds: rounds,
        ways: Dictionary(uniqueKeysWithValues: results.map { ("\($0.key)", $0.value) })))
  }

  /// Each round begins with another way, and every second one runs backwards: what a way leaves behind (cold caches,
  /// work for the file system) then doesn't always affect the same next one.
  private func order(_ round: Int) -> [Way] {
    let ways = ways
    let start = round * 5 % ways.count
    let order = Array(ways[start...] + ways[..<start])
    return round.isMultiple(of: 2) ? order : order.reversed()
  }

  private struct Report: Encodable {
    let archive: String
    let files, bytes, rounds: Int
    let ways: [String: Trials]
  }
}

/// What was measured of one way, one a round, or why it failed; a way that fails is out.
private struct Trials: Encodable {
  var times: [Times] = []
  var failure: String?

  mutating func attempt(_ body: (inout [Times]) throws -> Void) {
    guard failure == nil else { return }
    do { try body(&times) } catch {
      failure = "\(error)"
      times = []
    }
  }
}
