import ArgumentParser

/// A word such as -dash.zip, in which the parser sees -d, -a, -s and -h, and shows the help for the last.
enum FlagCluster {
  private static let flags = "hlqrv"
  /// What the next word is the value of, whatever that begins with.
  private static let taking = ["--timeout", "--max-total", "--max-entry", "--max-entries", "--jobs"]

  /// - Throws: `ValidationError` that says how a name that begins with a dash is given.
  static func check(_ arguments: [String]) throws {
    var before = ""
    for word in arguments {
      if word == "--" { return }
      defer { before = word }
      guard word.hasPrefix("-"), !word.hasPrefix("--"), word.count > 2, !taking.contains(before),
        !word.dropFirst().allSatisfy({ flags.contains($0) })
      else { continue }
      throw ValidationError(
        "Unknown option '\(word)'. A file whose name begins with a dash is given as './\(word)'.")
    }
  }
}
