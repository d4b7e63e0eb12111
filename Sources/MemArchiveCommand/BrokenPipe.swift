import Glibc

/// SIGPIPE: a reader who goes away ends this program, as it ends others, but not before its worker has ended.
enum BrokenPipe {
  /// Whether the program was started with the signal as it is by default; asking makes the signal ignored.
  static let endsProgram = signal(SIGPIPE, SIG_IGN) == nil

  /// Has it ignored from here on.
  static func outlive() { _ = endsProgram }

  /// As it was, for a command that is executed, or before the end.
  static func restore() { if endsProgram { _ = signal(SIGPIPE, SIG_DFL) } }
}
