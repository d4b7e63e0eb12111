import Foundation
import Glibc
package import Testing

/// Random numbers that can be had again: those of a run begin with MEMARCHIVE_SEED, or with a seed that is printed.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// - Parameter stream: Which of several independent rows of numbers.
  package init(stream: Int = 0) { state = Self.seed &+ UInt64(stream) &* 0xD134_2543_DE82_EF95 }

  /// SplitMix64, https://prng.di.unimi.it/splitmix64.c.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }

  package static let seed: UInt64 = {
    let name = "MEMARCHIVE_SEED"
    if let given = ProcessInfo.processInfo.environment[name].flatMap({ UInt64($0) }) { return given }
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    print("Random numbers of this run: \(name)=\(seed)")
    // A test's own processes go by it too.
    setenv(name, "\(seed)", 1)
    return seed
  }()
}

extension Trait where Self == IssueHandlingTrait {
  /// For tests with random numbers: what fails says by which seed.
  package static var seeded: Self {
    let seed = SeededGenerator.seed
    return .compactMapIssues { issue in
      var issue = issue
      issue.comments.append("random numbers by MEMARCHIVE_SEED=\(seed)")
      return issue
    }
  }
}
