package import MemArchive

/// Where an archive is read: what comes of it, or what is said of it, is the same in each.
package enum Isolation: CaseIterable, Sendable {
  case inProcess, sandboxed

  /// The options of an extraction there.
  package func applied(to options: ExtractionOptions = ExtractionOptions()) -> ExtractionOptions {
    var options = options
    options.sandbox = self == .sandboxed ? .required : .off
    return options
  }

  /// All numbers in this process; fewer where a worker has to be started for each.
  package func some(of numbers: Range<Int>) -> [Int] {
    self == .inProcess
      ? Array(numbers) : Array(stride(from: numbers.lowerBound, to: numbers.upperBound, by: 31))
  }
}
