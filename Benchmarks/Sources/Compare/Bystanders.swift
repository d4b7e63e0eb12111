import Glibc

/// How much of the processors' time others took while times were taken: what makes numbers doubtful.
struct Bystanders {
  private let start = Self.times()

  /// The share in percent since this value was made; `nil` where /proc/stat cannot be read.
  var percent: Double? {
    guard let start, let end = Self.times(), end.all > start.all else { return nil }
    let others = (end.busy - end.own) - (start.busy - start.own)
    return (max(0, others / (end.all - start.all)) * 1000).rounded() / 10
  }

  /// Seconds of all processors since the system started, those not idle, and those of this process.
  private static func times() -> (all: Double, busy: Double, own: Double)? {
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal, all in clock ticks. What follows is
    // contained in user and nice.
    guard let line = Machine.lines(of: "/proc/stat").first, line.hasPrefix("cpu ") else { return nil }
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    var usage = rusage()
    guard ticks.count == 8, second > 0, unsafe getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else {
      return nil
    }
    let all = ticks.reduce(0, +)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return (
      all / second, (all - ticks[3] - ticks[4]) / second, seconds(usage.ru_utime) + seconds(usage.ru_stime)
    )
  }
}
