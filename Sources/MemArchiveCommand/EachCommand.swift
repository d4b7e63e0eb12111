import ArgumentParser
import Libc
import MemArchive

struct EachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "each", _superCommandName: "memarchive",
    abstract: "Run a command for each file of archives, by a path in memory.",
    usage: "memarchive each <archive> ... [<options>] -- <command> [<arg> ...]",
    discussion: """
      In the command {} stands for the path of the entry; without it the entry is the command's standard input. The word {}+ \
      stands for the paths of as many entries of an archive as are had at once, up to 100 or 64 MiB. The command finds in \
      its environment MEMARCHIVE_ARCHIVE and, of one entry, MEMARCHIVE_NAME, MEMARCHIVE_SIZE, MEMARCHIVE_MODE and \
      MEMARCHIVE_MTIME as far as the archive has them; of several MEMARCHIVE_NAMES: a file with their names, each with a NUL \
      behind it. A file that has several names is given once. Entries are in memory while their command runs.

      What a command writes is printed whole when it has ended, or when it is more than 1 MiB; with --jobs 1 as it comes. \
      With --json, prints one object per line: {"event": "entry", "archive", "name", "raw", "position", "size", "status" or \
      "signal", "milliseconds", "output", "cut"} for each entry, {"event": "error", "archive", "name", "code", "error", \
      "status"} for each error, and at the end of an archive {"event": "archive", "archive", "verdict", "status", \
      "entries", "files", "bytes", "failures"}.

      With --clamd, entries are passed to clamd(8) by its socket; "verdict" is OK or FOUND, and "found" what was found.

      With --journal, what is done is noted in the file, and left out when the same is started again with it. A signal \
      (SIGINT, SIGTERM, SIGHUP) stops it once the commands that run have ended; a second one at once. After that, and after \
      any other end, nothing is lost and nothing done twice but the commands that ran when memarchive itself was killed. An \
      archive that has changed since, in size or time, is another.

      A bad archive does not end it.

      Exit status: 0 success; 1, 2, 3, 4 the worst of the archives, as for the other commands; 123 a command failed, or \
      clamd found something; 124 the same, and an archive failed too; 126 the command cannot be executed; 127 the command \
      was not found.
      """)

  @Argument(
    help: ArgumentHelp("The archives, or - for standard input.", valueName: "archive"),
    completion: EntryCompletion.archiveOrProgram)
  var archives: [String] = []
  // What the words after -- are rewritten to.
  @Option(
    name: .customLong(CommandWords.name), parsing: .singleValue, help: .hidden, transform: CommandWords.word)
  var command: [String] = []
  @Flag(help: "Print one JSON object per line, with what commands write.")
  var json = false
  @Flag(
    help: "Make {} a path into this process, /proc/PID/fd/N, for commands that close descriptors.")
  var hold = false
  @Option(
    help: ArgumentHelp("Pass entries to the clamd that listens at this socket.", valueName: "socket"),
    completion: .file())
  var clamd: String?
  @Option(
    help: ArgumentHelp("Note what is done in this file, and leave out what it has.", valueName: "file"),
    completion: .file())
  var journal: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Run so many commands at once. The default is the number of processors.", valueName: "number"))
  var jobs: Int?
  @OptionGroup var options: WalkOptions

  func validate() throws {
    if archives.isEmpty { throw ValidationError("Give at least one archive.") }
    if command.isEmpty, clamd == nil { throw ValidationError("Give the command after --, or --clamd.") }
    if !command.isEmpty, clamd != nil { throw ValidationError("Give a command or --clamd, not both.") }
    if !EntryCommand.isValid(command) {
      throw ValidationError("{}+ is a word of its own behind the command, and the only place for entries.")
    }
    if hold, !command.contains(where: { $0.contains("{}") }) { throw ValidationError("--hold needs {}.") }
    if let jobs, jobs < 1 { throw ValidationError("--jobs must be at least 1.") }
    guard journal != nil else { return }
    var names: Set<NameKey> = []
    for archive in archives {
      if Archive.isReadOnce(archive) {
        throw ValidationError("--journal takes archives that can be read again: \"\(archive)\" is a pipe.")
      }
      if !names.insert(NameKey(archive)).inserted {
        throw ValidationError("--journal takes each archive once: \"\(archive)\" is given twice.")
      }
    }
  }

  /// Upper bounds of a batch.
  private static let most = EntryReading.Portion(entries: 100, bytes: 64 << 20)
  /// Descriptors of a thread beside those of its entries, and of the program.
  private static let descriptors = (thread: 24, program: 64)

  func run() throws {
    // Whoever ignores it gets no status of a child.
    _ = signal(SIGCHLD, SIG_DFL)
    let journal = try journal.map { try Journal($0, request, for: archives) }
    let action: EntryQueue.Action
    var takesSeveral = false
    if let clamd {
      let client = ClamdClient(clamd)
      try client.connect()
      action = .clamd(client)
    } else {
      let command = EntryCommand(command, isHeld: hold)
      takesSeveral = command.takesSeveral
      action = .command(command)
    }
    // Commands inherit the limit as it is.
    let room = max(0, DescriptorLimit.current - Self.descriptors.program)
    let threads = max(1, min(jobs ?? ExtractionOptions().threads, room / (Self.descriptors.thread + 1)))
    let portion = EntryReading.Portion(
      entries: takesSeveral ? max(1, min(Self.most.entries, room / threads - Self.descriptors.thread)) : 1,
      bytes: Self.most.bytes)
    let queue = EntryQueue(
      archives, options, action, json: json,
      collecting: threads > 1 ? [.output, .errors] : json ? [.output] : [], portion, journal)
    let (signal, status) = try queue.run(threads: threads)
    try journal?.sync()
    if let signal {
      try Output.flush()
      ExtractionPool.shared.end()
      StopSignal.end(by: signal)
    }
    if status != .done { throw status }
  }

  private var request: Journal.Request {
    Journal.Request(
      command: command, clamd: clamd != nil, recursive: options.recursive, keepGoing: options.keepGoing,
      include: options.globs.include.map(\.text), exclude: options.globs.exclude.map(\.text))
  }
}
