import Glibc
import MemArchive

/// One timed extraction of one archive.
struct Trial {
  /// From opening the archive until its last file is filled.
  let extracted: Duration
  /// The same, and until the last file is closed too.
  let released: Duration
  /// What the process computed until then, in user and kernel mode: a busy machine hardly changes it, but what a file
  /// system leaves to its own threads isn't in it.
  let computed: Duration

  init(_ way: Way, of input: Input) throws {
    let clock = ContinuousClock()
    let start = clock.now
    let computedBefore = Self.processorTime
    var kept: [any FilledFile] = []
    try Self.extract(way, of: input) { file in
      if way.lifetime == .kept { kept.append(file) }
    }
    extracted = clock.now - start
    kept = []
    released = clock.now - start
    computed = Self.processorTime - computedBefore
  }

  /// Checks every byte of every file that the way makes.
  static func verify(_ way: Way, of input: Input) throws {
    guard way.maker != .nobody else { return }
    var kept: [any FilledFile] = []
    var found: [Fingerprint] = []
    try extract(way, of: input) { file in
      if way.lifetime == .kept { kept.append(file) } else { found.append(try Fingerprint(of: file)) }
    }
    // Those that are kept are read when all are there: a file must not change through a later one.
    found += try kept.map { try Fingerprint(of: $0) }
    guard found == input.files else { throw WrongContent() }
  }

  /// clock_gettime(2), CLOCK_PROCESS_CPUTIME_ID
  private static var processorTime: Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  private static func extract(_ way: Way, of input: Input, _ body: (any FilledFile) throws -> Void) throws {
    var stream = try ArchiveReader(path: input.path).stream(options: way.options)
    while let entry = try stream.next() {
      guard entry.hasContent else { continue }
      if let file = try way.file(from: &stream) { try body(file) }
    }
  }
}

/// A way that is fast because it is wrong.
struct WrongContent: Error, CustomStringConvertible {
  var description: String { "its files differ from the archive's content" }
}
