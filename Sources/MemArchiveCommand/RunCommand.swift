import ArgumentParser
import MemArchive

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Execute a command with entries of the archive as its files.",
    usage: "memarchive run <archive> [<options>] -- <command> [<arg> ...]",
    discussion: """
      Each {NAME} inside an ARG becomes a path to that entry, which is in sealed memory; {{ stands for a brace, and }} in a \
      NAME for a brace of the name. The command takes the place of this process: same process id, and its exit status is its own. It inherits one descriptor for \
      each entry that is named, besides those that this program was started with.

      With --exec, the command itself is an entry, a program or a script. With --hold, a separate process keeps the files \
      open until the command ends, and {NAME} becomes a path into that process: for commands that close inherited \
      descriptors.

      With --tree, all entries are files at real paths, under their own names, in a read-only file system that only the \
      command sees: {NAME} becomes such a path, and the variable MEMARCHIVE_ROOT holds the directory's. Names and links \
      that lead out of the tree are left out. With --also, each archive has a directory of its own there: {a.zip/entry}. \
      Without root, users other than yourself appear as 65534 to the command, and groups as nogroup.

      Exit status before the command runs: 2 no such entry; 125 the archive could not be read; 126 the command cannot be \
      executed; 127 the command was not found.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(
    parsing: .postTerminator, help: ArgumentHelp("The command and its arguments.", valueName: "command"),
    completion: EntryCompletion.command)
  var command: [String] = []
  @Flag(name: .shortAndLong, help: "Names may lead into archives inside the archive: {inner.tar/entry}.")
  var recursive = false
  @Flag(
    help: """
      Keep the files open in a separate process until the command ends; nothing is inherited, and {NAME} becomes \
      /proc/PID/fd/N.
      """)
  var hold = false
  @Option(
    name: .customLong("exec"),
    help: ArgumentHelp(
      "Execute this entry, a program or a script; everything after -- is its arguments.", valueName: "name"),
    completion: EntryCompletion.entries)
  var program: String?
  @Option(
    help: ArgumentHelp(
      """
      A directory of the archive where the loader looks for shared libraries first (LD_LIBRARY_PATH).
      """, valueName: "directory"))
  var libraryPath: String?
  @OptionGroup var tree: RunTreeOptions
  @OptionGroup var options: ReadingOptions

  func validate() throws {
    try tree.validate(archive)
    if hold, tree.isWanted { throw ValidationError("--hold has no meaning with --tree, whose paths last.") }
    if command.isEmpty, program == nil { throw ValidationError("Give the command after --, or use --exec.") }
    if let libraryPath, !LibraryPath.isUsable(libraryPath) {
      throw ValidationError("--library-path takes one directory, without a colon in its name.")
    }
    for argument in command { _ = try PathTemplate(argument) }
  }

  func run() throws {
    let arguments = try command.map { try PathTemplate($0) }
    if tree.isWanted { return try runInTree(arguments) }
    let names = [program].compactMap { $0 } + arguments.flatMap(\.names)
    DescriptorLimit.raise()
    let archive: Archive
    let files: MemFiles
    do {
      archive = try Archive.opened(
        self.archive, isSelected: !names.isEmpty || libraryPath != nil, options)
      files = try extract(names, from: archive)
      if names.isEmpty, libraryPath == nil, !options.quiet { warnUnused(files) }
    } catch let status as ExitStatus {
      // A failure before the command must not look like the command's own exit status.
      throw status == .usage ? status : .beforeCommand
    }
    do {
      let script = try program.flatMap { try files[$0]?.isMachineProgram == false ? $0 : nil }
      let passed = try PassedFiles(
        [script].compactMap { $0 } + arguments.flatMap(\.names), of: files, held: hold)
      if let libraryPath {
        try LibraryPath.pass(
          libraryPath, of: archive, nested: recursive ? .expand : .keep)
      }
      let filled = arguments.map { $0.filled(with: passed.paths) }
      try withExtendedLifetime(files) { throw try status(ofExecuting: filled, script: script, passed, files) }
    } catch let error as ArchiveError {
      _ = archive.report(error)
      throw ExitStatus.beforeCommand
    }
  }

  /// A command that uses nothing of the archive is not what anybody wants: braces were forgotten, or the shell took them.
  private func warnUnused(_ files: MemFiles) {
    let entries = Set(files.entries.lazy.filter { $0.kind != .directory }.map { NameKey($0.name) })
    let named = command.first { entries.contains(NameKey($0)) }
    let hint =
      named.map { "Write '{\($0)}' for the path of the entry \"\($0)\"." }
      ?? "Write '{NAME}' for the path of an entry, or use --tree."
    Diagnostics.report("\(self.archive): warning: the command uses nothing of the archive. \(hint)")
  }

  /// Returns only when the execution fails.
  private func status(
    ofExecuting arguments: [[UInt8]], script: String?, _ passed: PassedFiles, _ files: MemFiles
  ) throws(ArchiveError) -> ExitStatus {
    guard let program else { return Execution.command(named: command[0], arguments) }
    let all = [ArchiveEntry.rawName(of: program)] + arguments
    if let script, let path = passed.paths[.init(script)] { return Execution.script(script, at: path, all) }
    guard let file = files[program] else { return .usage }
    return try Execution.entry(file, all)
  }

  /// The files that the arguments name, and only those.
  private func extract(_ names: [String], from archive: Archive) throws -> MemFiles {
    // The files have to be executable only if the command is an entry.
    let isExecutable =
      try program != nil || command.first.map { try !PathTemplate($0).names.isEmpty } ?? false
    let context = archive.context.executable(isExecutable)
    let nested = recursive ? ExtractionOptions.NestedArchives.expand : .keep
    do {
      let files = try archive.reader.extract(.names(names), nested: nested, in: context)
      archive.report(files.protection, self.options)
      archive.report(files.warnings, self.options)
      return files
    } catch  where error.code == .noSuchEntry {
      // Reads the names again, with those in inner archives, to suggest similar ones.
      let nothing = EntrySelection.matching { _ in false }
      let known = try? archive.reader.extract(nothing, nested: nested, in: context.withOwnAccount).entries
      var wanted = WantedNames(names)
      for entry in known ?? [] { _ = wanted.take(entry) }
      throw wanted.reportMissing(
        in: archive, afterAll: true, for: .command, recursive: recursive,
        advice: PathTemplate.advice(command))
    } catch {
      throw archive.report(error)
    }
  }
}

/// An argument that may contain {NAME}.
struct PathTemplate {
  private enum Segment {
    case text(String)
    case name(String)
  }
  private var segments: [Segment] = []

  /// The names of entries in it.
  var names: [String] { segments.compactMap { if case .name(let name) = $0 { name } else { nil } } }

  init(_ argument: String) throws {
    var rest = Substring(argument)
    while let brace = rest.utf8.firstIndex(of: UInt8(ascii: "{")) {
      segments.append(.text(String(rest[..<brace])))
      rest = rest[rest.utf8.index(after: brace)...]
      if rest.utf8.first == UInt8(ascii: "{") {
        segments.append(.text("{"))
        rest = rest[rest.utf8.index(after: rest.startIndex)...]
        continue
      }
      guard let (name, after) = Self.name(rest) else {
        throw ValidationError("\"\(argument)\" has a brace that is not closed; write {{ for a literal brace.")
      }
      guard !name.isEmpty else {
        throw ValidationError("\"\(argument)\" has no name between its braces; write {{ for a literal brace.")
      }
      segments.append(.name(name))
      rest = after
    }
    segments.append(.text(String(rest)))
  }

  /// The name up to the brace that closes it, and what follows. A doubled brace is one of the name; where none but doubled
  /// ones come, the first closes it, as in "{{{NAME}}".
  private static func name(_ text: Substring) -> (String, after: Substring)? {
    let (bytes, closing) = (text.utf8, UInt8(ascii: "}"))
    guard let first = bytes.firstIndex(of: closing) else { return nil }
    var (name, start) = ("", bytes.startIndex)
    while let brace = bytes[start...].firstIndex(of: closing) {
      name += text[start..<brace]
      let next = bytes.index(after: brace)
      guard next < bytes.endIndex, bytes[next] == closing else { return (name, text[next...]) }
      name += "}"
      start = bytes.index(after: next)
    }
    return (String(text[..<first]), text[bytes.index(after: first)...])
  }

  /// What to say of names that are not there.
  struct Advice {
    let text: String
    /// Whether the command has a brace that may have been meant as one.
    let isCertain: Bool
  }

  /// For a command with braces of its own.
  static func advice(_ command: [String]) -> Advice {
    let hasBrace = command.lazy.compactMap { try? Self($0) }.contains { template in
      !template.names.isEmpty
        && template.segments.contains {
          switch $0 {
          case .text(let text): text.utf8.contains(UInt8(ascii: "}"))
          case .name(let name): name.utf8.contains { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }
          }
        }
    }
    return Advice(
      text: " Write {{ for a brace that begins no name" + (hasBrace ? ", and }} for one in a name." : "."),
      isCertain: hasBrace)
  }

  /// The argument's bytes with each name's path in its place.
  func filled(with paths: [NameKey: [UInt8]]) -> [UInt8] {
    segments.flatMap { segment in
      switch segment {
      case .text(let text): ArchiveEntry.rawName(of: text)
      case .name(let name): paths[.init(name)] ?? []
      }
    }
  }
}
