import ArgumentParser
import CLinux
import MemArchive

/// The program `memarchive`: the library for the shell.
@main
struct MemArchiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memarchive",
    abstract: "Unpack archives into sealed memory, and give their files to programs as paths.",
    discussion: """
      Reads tar, zip, 7z, cpio, ar and lone compressed files, each also inside gzip, bzip2, xz, lzma, lzip, zstd, lz4, \
      compress, uuencode or rpm. Nothing is written to a disk but what convert and run --save are told to. Archives are read in a sandbox, a process that \
      cannot open, send or execute anything; in the sandbox, rar, cab, lha, iso, xar, warc and squashfs are read too.

      ARCHIVE may be - for standard input, or an address, https://host/file, of which only what is needed is fetched. Names are \
      raw bytes, escaped as sha256sum does. On a terminal, and always on standard error, characters that control a \
      terminal or reverse text are shown as \\u{1B} or \\x9B.

      Exit status: 0 success; 1 the archive is damaged or refused; 2 usage error or no such entry; 3 a limit was \
      reached; 4 a system error.
      """,
    subcommands: [
      ListCommand.self, DigestCommand.self, CatCommand.self, TestCommand.self, RunCommand.self,
      EachCommand.self, ConvertCommand.self,
    ])

  @Flag(name: .long, help: "Show the versions of the program and its libraries, and the kernel's features.")
  var version = false

  func run() throws {
    guard version else { throw CleanExit.helpRequest(self) }
    try Output.write(SystemReport().description)
  }

  static func main() {
    // Does not return in a worker.
    MemArchiveWorker.runIfRequested()
    QuitSignal.restore()
    BrokenPipe.outlive()
    clinux_reserve_streams()
    let arguments = RawText.arguments()
    if isLikelySandboxed(arguments) {
      ExtractionPool.shared.prepare(for: ExtractionOptions(sandbox: SandboxChoice.auto.option))
    }
    var status = run(arguments)
    do throws(ExitStatus) { try Output.flush() } catch { status = error }
    leave(Output.failure ?? status)
  }

  /// Whether an archive will be read in the sandbox, as far as the arguments' words tell: parsing them takes about as long as the
  /// sandbox does to start, on another processor.
  private static func isLikelySandboxed(_ arguments: [String]) -> Bool {
    subcommand(arguments.first) != nil
      && !arguments.contains { ["off", "--sandbox=off", "--help", "-h"].contains($0) }
  }

  private static func subcommand(_ name: String?) -> (any ParsableCommand.Type)? {
    name.flatMap { name in configuration.subcommands.first { $0.configuration.commandName == name } }
  }

  /// The command that the arguments give.
  private static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
    // The parser builds the options of each command from its root on, several times, which takes as long as a small archive does:
    // a subcommand is parsed alone. What that cannot be is explained by the whole.
    if let command = subcommand(arguments.first),
      let parsed = try? command.parseAsRoot(Array(arguments.dropFirst())), type(of: parsed) == command
    {
      return parsed
    }
    return try parseAsRoot(arguments)
  }

  /// Parses the arguments and runs the command, or reports a usage error.
  private static func run(_ arguments: [String]) -> ExitStatus {
    do {
      try UnknownCommand.check(arguments, among: configuration.subcommands)
      try FlagCluster.check(arguments)
      // As a flag of this command it would be taken from the subcommands, which say more with it.
      var command = try parsed(
        Set(arguments).isSubset(of: ["-v", "--verbose", "--version"]) && !arguments.isEmpty
          ? ["--version"] : CommandWords.rewritten(HoldOption.rewritten(arguments)))
      try command.run()
      return .done
    } catch let status as ExitStatus {
      return status
    } catch {
      let text = fullMessage(for: error)
      guard exitCode(for: error) == .success else {
        let (theirs, ours) = ("Error: ", "memarchive: ")
        Diagnostics.write(text.hasPrefix(theirs) ? ours + text.dropFirst(theirs.count) : text)
        return .usage
      }
      do throws(ExitStatus) { try Output.write(text + "\n") } catch { return error }
      return .done
    }
  }
}

/// The output of `--version`, for bug reports.
struct SystemReport: CustomStringConvertible {
  private let platform = PlatformReport()

  var description: String {
    var text = "memarchive \(PlatformReport.memArchiveVersion)\n"
    for library in platform.libraries { text += "  \(library)\n" }
    text += "  JSON lines of version \(JSONLine.version)\n"
    text += "sandbox: \(platform.sandbox)\n"
    text += "kernel: \(platform.kernel)\n"
    let width = platform.features.map(\.name.count).max() ?? 0
    for feature in platform.features {
      let answer = feature.isAvailable.map { $0 ? "yes" : "no " } ?? "?  "
      let space = String(repeating: " ", count: width - feature.name.count)
      text += "  \(feature.name)\(space)  \(answer)  \(feature.meaning)\n"
    }
    return text
  }
}
