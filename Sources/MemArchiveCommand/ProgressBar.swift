import Glibc
import MemArchive
import Synchronization

/// A progress line on standard error, if that is a terminal.
enum ProgressBar {
  private static let isShown = Mutex(false)

  /// A function that draws the bar, or nil if standard error is not a terminal.
  static func forTerminal() -> (@Sendable (ExtractionOptions.Progress) -> Void)? {
    guard isatty(STDERR_FILENO) == 1 else { return nil }
    let start = ContinuousClock.now
    return { progress in
      // Short operations need no bar.
      let elapsed = (ContinuousClock.now - start) / .seconds(1)
      guard elapsed > 0.3 else { return }
      draw(line(progress, elapsed: elapsed))
    }
  }

  /// "[=====>    ]  43 %  120.5 MiB of 280.0 MiB  80.3 MiB/s  0:02 left"
  static func line(_ progress: ExtractionOptions.Progress, elapsed: Double) -> String {
    let rate = Double(progress.bytesRead) / max(elapsed, 0.001)
    var line = ByteCount.text(progress.bytesRead)
    if let total = progress.bytesTotal, total > 0 {
      let part = min(1, Double(progress.bytesRead) / Double(total))
      let filled = Int(part * 20)
      let percent = "\(Int(part * 100))"
      line =
        "[" + String(repeating: "=", count: filled) + String(repeating: " ", count: 20 - filled) + "] "
        + String(repeating: " ", count: 3 - percent.count) + percent + " %  " + line + " of "
        + ByteCount.text(total)
      line += "  " + ByteCount.text(Int64(rate)) + "/s"
      let left = Int((Double(total - progress.bytesRead) / max(rate, 1)).rounded(.up))
      line += "  \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
    } else {
      line += "  " + ByteCount.text(Int64(rate)) + "/s  \(progress.entries) entries"
    }
    return line
  }

  /// Removes the bar, so that a line can be written.
  static func clear() {
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
    _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
  }
}
