import ArgumentParser
import Libc
import MemArchive

/// What a first argument that names no command may have been meant for.
enum UnknownCommand {
  private static let unpacking = ["extract", "unpack", "unzip", "untar", "e", "x", "xf", "-x", "-xf"]

  /// - Throws: `ValidationError` that says what to write instead.
  static func check(_ arguments: [String], among commands: [any ParsableCommand.Type]) throws {
    // The parser's own help shows the whole program's for a command that there is not.
    let isHelp = arguments.first == "help"
    let words = isHelp ? arguments.dropFirst() : arguments[...]
    guard let word = words.first else { return }
    let names = commands.compactMap { $0.configuration.commandName } + ["help"]
    if unpacking.contains(word) {
      throw ValidationError(
        "There is no command '\(word)': memarchive itself unpacks nothing to a disk. To copy an archive's files there: "
          + "memarchive run --tree --chdir \(words.dropFirst().first ?? "ARCHIVE") -- cp -r . DIRECTORY")
    }
    guard !word.hasPrefix("-"), !names.contains(word) else { return }
    let isFile = unsafe access(ArchiveEntry.rawName(of: word).map { CChar(bitPattern: $0) } + [0], F_OK) == 0
    let meant =
      isFile && !isHelp ? "memarchive list \(word)" : NearestNames.nearest(to: word, in: names).first
    let hint = meant.map { " Did you mean '\($0)'?" } ?? ""
    throw ValidationError("There is no command '\(word)'.\(hint)")
  }
}
