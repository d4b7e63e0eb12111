/// All ways against each other on one archive.
struct Contest {
  let input: Input

  init(_ input: Input) { self.input = input }

  /// Verifies, then times; a way that fails on the way is out, with the reason.
  func run(rounds: Int) -> Report.Archive {
    var trials: [Way: [Trial]] = [:]
    var failures: [Way: String] = [:]
    func attempt(_ way: Way, _ body: () throws -> Void) {
      guard failures[way] == nil else { return }
      do { try body() } catch { failures[way] = "\(error)" }
    }

    // This warms everything up, too.
    for way in Way.all { attempt(way) { try Trial.verify(way, of: input) } }
    // What takes a few milliseconds needs more rounds for a median that holds.
    let rounds = input.contentSize < 1 << 20 ? rounds * 10 : rounds
    for round in 0..<rounds {
      for way in Self.order(round) {
        attempt(way) { trials[way, default: []].append(try Trial(way, of: input)) }
      }
    }
    let results = Way.all.map { way in
      Report.Result(
        way, trials: trials[way, default: []],
        baseline: failures[way.baseline] == nil ? trials[way.baseline, default: []] : [],
        failure: failures[way])
    }
    return Report.Archive(input, rounds: rounds, results: results)
  }

  /// Each round begins with another way, and every second one runs backwards: what a way leaves behind (cold caches,
  /// work for the file system) then doesn't always fall on the same neighbour.
  private static func order(_ round: Int) -> [Way] {
    let start = round * 5 % Way.all.count
    let order = Array(Way.all[start...] + Way.all[..<start])
    return round.isMultiple(of: 2) ? order : order.reversed()
  }
}
