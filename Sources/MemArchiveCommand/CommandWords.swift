/// The command of `each` after --.
enum CommandWords {
  /// An option of its own for the parser, which takes no second list of words beside that of the archives.
  static let name = "command-word"

  /// Arguments in which each word after the -- of `each` is that option, with a colon in front: a value may not be empty.
  static func rewritten(_ arguments: [String]) -> [String] {
    guard arguments.first == "each", let end = arguments.firstIndex(of: "--") else { return arguments }
    return arguments[..<end] + arguments[(end + 1)...].map { "--\(name)=:\($0)" }
  }

  /// The word of such a value.
  static func word(_ value: String) -> String { String(Substring(value.utf8.dropFirst())) }
}
