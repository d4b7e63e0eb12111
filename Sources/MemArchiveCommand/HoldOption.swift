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

/// Permissions in octal digits, as chmod(1) takes them.
enum FileMode {
  static func parse(_ text: String) throws -> UInt16 {
    guard let mode = UInt16(text, radix: 8), mode <= 0o777, text.utf8.first != UInt8(ascii: "+") else {
      throw ValidationError("A mode is written in octal digits, 0 to 777.")
    }
    return mode
  }
}
