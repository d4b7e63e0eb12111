import Libc
import MemArchive
import Synchronization

/// A progress line on standard error, if that is a terminal.
enum ProgressBar {
  private static let isShown = Mutex(false)

  /// A function that draws the bar, or nil if standard error is not a terminal.
  static func forTerminal() -> (@Sendable (ExtractionOptions.Progress) -> Void)? {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    let start = ContinuousClock.now
    let transcript = Transcript.current
    return { progress in
      // Of several archives, one is shown.
      guard transcript?.isShown ?? true else { return }
      // Short operations need no bar.
      let elapsed = (ContinuousClock.now - start) / .seconds(1)
      guard elapsed > 0.3 else { return }
      draw(line(progress, elapsed: elapsed, columns: columns()))
    }
  }

  /// The terminal's width; 80 where it does not tell.
  private static func columns() -> Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// "[=====     ]  43 %  120.5 MiB of 280.0 MiB  80.3 MiB/s  0:02 left", or as much of it as fits: a line that wraps cannot be
  /// drawn again in its place.
  static func line(_ progress: ExtractionOptions.Progress, elapsed: Double, columns: Int) -> String {
    let rate = Double(progress.bytesRead) / max(elapsed, 0.001)
    let (read, speed) = (ByteCount.text(progress.bytesRead), ByteCount.text(Int64(rate)) + "/s")
    guard let total = progress.bytesTotal, total > 0 else {
      return fitting(columns, [[read, speed, "\(progress.entries) entries"], [read, speed], [read]])
    }
    let part = min(1, Double(progress.bytesRead) / Double(total))
    let number = "\(Int(part * 100))"
    let percent = String(repeating: " ", count: 3 - number.count) + number + " %"
    let left = Int((Double(total - progress.bytesRead) / max(rate, 1)).rounded(.up))
    let time = "\(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
    func bar(_ width: Int) -> String {
      let filled = Int(part * Double(width))
      return "[" + String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
        + "] " + percent
    }
    let amount = read + " of " + ByteCount.text(total)
    return fitting(
      columns,
      [
        [bar(20), amount, speed, time], [bar(20), speed, time], [bar(20), time], [bar(10), time],
        [percent, time],
        [percent],
      ])
  }

  /// The first of these lines that leaves the last column free, or nothing.
  private static func fitting(_ columns: Int, _ lines: [[String]]) -> String {
    lines.lazy.map { $0.joined(separator: "  ") }.first { $0.count < columns } ?? ""
  }

  /// Removes the bar, so that a line can be written.
  static func clear() {
    if let transcript = Transcript.current {
      try? transcript.add(.endOfProgress)
      return
    }
    isShown.withLock { shown in
      if shown { write("\r\u{1B}[K") }
      shown = false
    }
  }

  private static func draw(_ line: String) {
    isShown.withLock { shown in
      write("\r" + line + "\u{1B}[K")
      shown = true
    }
  }

  private static func write(_ text: String) {
    let bytes = Array(text.utf8)
    _ = unsafe Libc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
