import ArgumentParser
import Libc
import MemArchive

/// What a shell offers for a word that names an entry of the archive on the same line, or is a part of `run`'s command.
enum EntryCompletion {
  /// Names of entries.
  static let entries = CompletionKind.custom { words, _, prefix in
    let wanted = ShellWord.unquoted(prefix)
    return offered(names(in: CommandLineWords(words)).filter { $0.utf8.starts(with: wanted.utf8) })
  }

  /// The command after --: a program, and then {NAME} and files.
  static let command = CompletionKind.custom { words, _, prefix in
    let line = CommandLineWords(words)
    let wanted = ShellWord.unquoted(prefix)
    if line.isAtProgram, !wanted.utf8.contains(UInt8(ascii: "/")) { return offered(programs(wanted)) }
    let templates =
      line.isAtProgram
      ? [] : names(in: line).filter { !$0.hasSuffix("/") }.map { "{" + $0.replacing("}", with: "}}") + "}" }
    return offered(templates.filter { $0.utf8.starts(with: wanted.utf8) } + files(wanted))
  }

  /// Archives, and after -- a program and files.
  static let archiveOrProgram = CompletionKind.custom { words, _, prefix in
    let wanted = ShellWord.unquoted(prefix)
    let isProgram = CommandLineWords(words).isAtProgram && !wanted.utf8.contains(UInt8(ascii: "/"))
    return offered(isProgram ? programs(wanted) : files(wanted))
  }

  /// Upper bounds: nobody reads more, or waits longer.
  private static let mostNames = 2000
  private static let longestWait = Duration.seconds(2)

  /// The names of the archive's entries, as far as they can be had in time. What would control a terminal is left out.
  private static func names(in line: CommandLineWords) -> [String] {
    guard let archive = line.archive, archive != "-" else { return [] }
    let options = ExtractionOptions(
      formats: .all, nestedArchives: line.isRecursive ? .expand : .keep, sandbox: .required,
      timeout: longestWait)
    let reader = ArchiveReader(path: RawText.path(ArchiveEntry.rawName(of: archive)))
    if line.isRecursive { return (try? reader.entries(options: options).map(\.name)) ?? [] }
    var names: [String] = []
    do {
      var stream = try reader.stream(in: ExtractionContext(options), .headers)
      while let entry = try stream.next() { names.append(entry.name) }
    } catch {
      // A completion is silent about what is wrong; the command will tell.
    }
    return names
  }

  /// What is in PATH.
  private static func programs(_ prefix: String) -> [String] {
    let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    var found: Set<String> = []
    for directory in path.split(separator: ":") {
      for name in entries(of: String(directory)) where name.hasPrefix(prefix) {
        if unsafe access("\(directory)/\(name)", X_OK) == 0 { found.insert(name) }
      }
    }
    return found.sorted()
  }

  /// The files that a path may go on with; a directory ends with a slash.
  private static func files(_ prefix: String) -> [String] {
    guard !prefix.hasPrefix("{") else { return [] }
    let slash = prefix.lastIndex(of: "/").map { prefix.index(after: $0) } ?? prefix.startIndex
    let (directory, start) = (prefix[..<slash], prefix[slash...])
    return entries(of: directory.isEmpty ? "." : String(directory)).filter {
      $0.hasPrefix(start) && (start.hasPrefix(".") || !$0.hasPrefix("."))
    }.sorted().map { name in
      var status = stat()
      let path = String(directory) + name
      let isDirectory = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
      return isDirectory ? path + "/" : path
    }
  }

  private static func entries(of directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func offered(_ candidates: [String]) -> [String] {
    // bash quotes whatever it inserts but these two, and the line would be another command.
    let isBash = CompletionShell.requesting == .bash
    return candidates.lazy.filter { candidate in
      !isBash || !candidate.utf8.contains { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "`") }
    }.filter { candidate in
      !candidate.unicodeScalars.contains { PlainText.isUnsafe($0) || (0xF780...0xF7FF).contains($0.value) }
    }.prefix(mostNames).map { ShellWord.escaped($0) }
  }
}

/// The words of a line that is being completed.
struct CommandLineWords {
  /// The archive, if it is there yet.
  private(set) var archive: String?
  /// Whether the last word is the first one after --, and no entry is executed instead of a program.
  private(set) var isAtProgram = false
  /// Whether entries of archives inside the archive are meant too: -r.
  let isRecursive: Bool

  private static let taking: Set = [
    "--also", "--at", "--changes", "--clamd", "--exclude", "--exec", "--formats", "--include", "--jobs",
    "--journal",
    "--library-path",
    "--links",
    "--max-entries", "--max-entry", "--max-total", "--mode", "--only", "--owner", "--passphrase-file",
    "--platform",
    "--sandbox", "--sha256", "--sha256-file", "--signature",
    "--storage", "--tag", "--timeout", "--verify",
  ]

  /// - Parameter words: Those of the line, with the program and the subcommand.
  init(_ words: [String]) {
    let words = words.map(ShellWord.unquoted)
    let rest = words.dropFirst(2)
    let end = rest.firstIndex(of: "--") ?? rest.endIndex
    isRecursive = rest[..<end].contains {
      $0 == "--recursive" || $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.contains("r")
    }
    var isValue = false
    for word in rest[..<end] where archive == nil {
      if isValue {
        isValue = false
      } else if Self.taking.contains(word) {
        isValue = true
      } else if !word.hasPrefix("-") || word == "-" {
        archive = word
      }
    }
    isAtProgram = end < rest.endIndex && end + 2 >= rest.endIndex && !rest[..<end].contains("--exec")
  }
}

/// Words as shells have them.
enum ShellWord {
  /// The word without quotes and backslashes, and with the home directory in place of a tilde.
  static func unquoted(_ word: String) -> String {
    var (text, quote): (String, Character?) = ("", nil)
    var rest = word[...]
    if rest.hasPrefix("~/"), let home = unsafe getenv("HOME") {
      text = unsafe String(cString: home)
      rest = rest.dropFirst()
    }
    while let character = rest.popFirst() {
      switch (character, quote) {
      case ("'", "'"), ("\"", "\""): quote = nil
      case ("'", nil), ("\"", nil): quote = character
      case ("\\", nil), ("\\", "\""): if let next = rest.popFirst() { text.append(next) }
      default: text.append(character)
      }
    }
    return text
  }

  /// The candidate as the script of the asking shell takes it. bash expands a list of words as it does a line, with command
  /// substitution: a name from an archive must not become one. zsh separates a description by a colon.
  static func escaped(_ candidate: String) -> String {
    let shell = CompletionShell.requesting
    var escaped = String.UnicodeScalarView()
    for scalar in candidate.unicodeScalars {
      let isPlain =
        scalar.value >= 0x80 || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
        || "_./-".unicodeScalars.contains(scalar)
      let needsEscape = shell == .zsh ? scalar == ":" || scalar == "\\" : shell == .bash && !isPlain
      if needsEscape { escaped.append("\\") }
      escaped.append(scalar)
    }
    return String(escaped)
  }
}
