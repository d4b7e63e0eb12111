import Glibc

/// One timed extraction of one archive, in seconds.
struct Times: Encodable {
  /// From opening the archive until its last file is filled.
  let extracted: Double
  /// The same, and until the last file is closed too.
  let released: Double
  /// What the process computed until then, in user and kernel mode: a busy machine hardly changes it, but what a file
  /// system leaves to its own threads isn't in it.
  let computed: Double

  /// - Parameter extract: Extracts everything and returns what keeps it.
  init<Kept>(of extract: () throws -> Kept) rethrows {
    let clock = ContinuousClock()
    let start = clock.now
    let computedBefore = Self.processorTime
    var kept: Kept? = try extract()
    extracted = (clock.now - start) / .seconds(1)
    withExtendedLifetime(kept) {}
    kept = nil
    released = (clock.now - start) / .seconds(1)
    computed = (Self.processorTime - computedBefore) / .seconds(1)
  }

  /// clock_gettime(2), CLOCK_PROCESS_CPUTIME_ID
  private static var processorTime: Duration {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
