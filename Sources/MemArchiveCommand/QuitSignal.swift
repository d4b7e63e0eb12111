import Libc

/// SIGQUIT ends this program as it ends others. Swift's runtime, where it finds its own swift-backtrace, takes the signal for
/// a crash: it shows where the program is, and goes on.
enum QuitSignal {
  /// Takes the runtime's handler away; a signal that whoever started the program has ignored stays so.
  static func restore() {
    let handler = signal(SIGQUIT, SIG_DFL)
    let isIgnored = unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    if isIgnored { _ = signal(SIGQUIT, SIG_IGN) }
  }
}
