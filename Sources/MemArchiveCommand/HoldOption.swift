import ArgumentParser

/// `--hold=PID` beside `--hold`.
enum HoldOption {
  /// An option of its own for the parser.
  static let name = "hold-until"

  /// Arguments in which --hold=PID is that option.
  static func rewritten(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments[..<end].map { $0.hasPrefix("--hold=") ? "--\(name)=" + $0.dropFirst(7) : $0 }
      + arguments[end...]
  }
}
