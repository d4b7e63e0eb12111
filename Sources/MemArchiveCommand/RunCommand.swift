import ArgumentParser
import MemArchive

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", _superCommandName: "memarchive",
    abstract: "Execute a command with entries of the archive as its files.",
    usage: "memarchive run <archive> [<options>] -- <command> [<arg> ...]",
    discussion: """
      Each {NAME} inside an ARG becomes a path to that entry, which is in sealed memory, {#NAME} the number of its \
      descriptor, and {NAME:as=FILE} a path that ends in FILE, for commands that look at a name; {{ stands for a brace, \
      and }} in a NAME for a brace of the name. ${ is left to the shell. The command takes the place of this process: same \
      process id, and its exit status is its own. It inherits one descriptor for each entry that is named, besides those \
      that this program was started with.

      Some commands close descriptors that they did not open, and then do not find the file: ssh, sudo, daemons, and what \
      Python's subprocess starts. For these there is --hold: a separate process keeps the files open, and {NAME} becomes a \
      path into that process. It ends when the command and all processes that it started have ended, or closed what they \
      inherited, and nobody has a file open; with --hold=PID not before that process. Other users and other namespaces \
      see no such path: they need --tree.

      With --exec, the command itself is an entry, a program or a script. A file has its entry's permissions, without those \
      to write. These do not bind root, who may open the file for writing, and whose write then fails; in a tree the \
      opening fails, as on a read-only disk.

      With --tree, all entries are files at real paths, under their own names, in a read-only file system that only the \
      command sees: {NAME} becomes such a path, and the variable MEMARCHIVE_ROOT holds the directory's. Names and links \
      that lead out of the tree are left out. {.} is the directory itself: env 'PYTHONPATH={.}' python3 -m package. With \
      --also, each archive has a directory of its own there: {a.zip/entry}; with --merge they are one tree. \
      Without root, users other than yourself appear as 65534 to the command, and groups as nogroup.

      With --image, the archive is a container image, as docker save writes it or as an OCI image layout, and the command \
      runs in it: the image's files are its root directory, writable in memory, and environment, user and working \
      directory are the image's. Without a command it is the image's own; with one, that follows the image's entrypoint, \
      which --exec replaces. Digests are verified. /proc and the network are this system's, and so are /etc/resolv.conf and \
      /etc/hosts. Braces mean nothing. Without root, all files belong to the image's user, who is you.

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
      Keep the files open in a separate process, and make {NAME} a path into that: /proc/PID/fd/N. With --hold=PID, \
      until that process ends too.
      """)
  var hold = false
  // What --hold=PID is rewritten to: the parser has no option whose value may be left out.
  @Option(name: .customLong(HoldOption.name), help: .hidden)
  var holdUntil: String?
  private var holder: Int32? { holdUntil.flatMap { Int32($0) } }
  @Option(
    help: ArgumentHelp("The permissions of all files, such as 600.", valueName: "mode"),
    transform: FileMode.parse)
  var mode: UInt16?
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
  @OptionGroup var image: RunImageOptions
  @OptionGroup var options: ReadingOptions

  func validate() throws {
    try tree.validate(archive, isImage: image.isWanted)
    try image.validate()
    if image.isWanted {
      let options = [
        ("--tree", tree.isWanted), ("--hold", isHeld), ("--recursive", recursive), ("--mode", mode != nil),
        ("--library-path", libraryPath != nil),
      ]
      for (name, isGiven) in options where isGiven {
        throw ValidationError("\(name) has no meaning with --image.")
      }
      return
    }
    if isHeld, tree.isWanted { throw ValidationError("--hold has no meaning with --tree, whose paths last.") }
    if command.isEmpty, program == nil { throw ValidationError("Give the command after --, or use --exec.") }
    if let libraryPath, !LibraryPath.isUsable(libraryPath) {
      throw ValidationError("--library-path takes one directory, without a colon in its name.")
    }
    // Here, because the parser would name an option that nobody has written.
    if holdUntil != nil, (holder ?? 0) <= 0 {
      throw ValidationError("--hold= takes the number of a process.")
    }
    for reference in try command.flatMap({ try PathTemplate($0).references }) {
      switch reference.form {
      case .path where reference.name == "." && !tree.isWanted:
        throw ValidationError("{.} is the directory of --tree.")
      case .path: continue
      case .number where isHeld || tree.isWanted:
        throw ValidationError("{#\(reference.name)} needs a descriptor that the command inherits.")
      case .named where tree.isWanted:
        throw ValidationError("Entries have their own names with --tree.")
      case .number, .named: continue
      }
    }
  }

  private var isHeld: Bool { hold || holdUntil != nil }

  func run() throws {
    if image.isWanted { return try runImage() }
    let arguments = try command.map { try PathTemplate($0) }
    if tree.isWanted { return try runInTree(arguments) }
    let names = [program].compactMap { $0 } + arguments.flatMap(\.references).map(\.name)
    DescriptorLimit.raise()
    let (archive, files) = try Self.beforeCommand {
      let archive = try Archive.opened(
        self.archive, isSelected: !names.isEmpty || libraryPath != nil, options)
      let files = try extract(names, from: archive)
      if names.isEmpty, libraryPath == nil, !options.quiet { warnUnused(files) }
      return (archive, files)
    }
    do {
      let script = try program.flatMap { try files[$0]?.isMachineProgram == false ? $0 : nil }
      let passed = try PassedFiles(
        [script].compactMap { $0 }.map { .init($0) } + arguments.flatMap(\.references), of: files,
        by: isHeld ? .init(other: holder) : nil)
      if let libraryPath {
        try LibraryPath.pass(
          libraryPath, of: archive, nested: recursive ? .expand : .keep)
      }
      let filled = arguments.map { $0.filled(with: passed.values) }
      try withExtendedLifetime(files) { throw try status(ofExecuting: filled, script: script, passed, files) }
    } catch let error as ArchiveError {
      _ = archive.report(error)
      throw ExitStatus.beforeCommand
    }
  }

  /// A failure before the command must not look like the command's own exit status.
  static func beforeCommand<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let status as ExitStatus {
      throw status == .usage ? status : .beforeCommand
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
    if let script, let path = passed.values[.init(script)] { return Execution.script(script, at: path, all) }
    guard let file = files[program] else { return .usage }
    return try Execution.entry(file, all)
  }

  /// The files that the arguments name, and only those.
  private func extract(_ names: [String], from archive: Archive) throws -> MemFiles {
    // The files have to be executable only if the command is an entry.
    let isExecutable =
      try program != nil || command.first.map { try !PathTemplate($0).references.isEmpty } ?? false
    let context = archive.context.sparing.executable(isExecutable, mode: mode)
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

/// Permissions in octal digits, as chmod(1) takes them.
enum FileMode {
  static func parse(_ text: String) throws -> UInt16 {
    guard let mode = UInt16(text, radix: 8), mode <= 0o777, text.utf8.first != UInt8(ascii: "+") else {
      throw ValidationError("A mode is written in octal digits, 0 to 777.")
    }
    return mode
  }
}
