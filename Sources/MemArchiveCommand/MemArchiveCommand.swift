import ArgumentParser
import MemArchive

/// The command line `memarchive`: what a shell gets of the library.
@main
struct MemArchiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memarchive",
    abstract: "Unpack archives into sealed memory, and hand what is in them to programs as paths.",
    discussion: """
      Reads tar, zip, 7z, cpio, ar and lone compressed files, each also inside gzip, bzip2, xz, lzma, lzip, zstd, lz4, \
      compress, uuencode or rpm. Nothing is ever written to a disk. Archives are read in a sandbox, a process that can \
      open, send and execute nothing, and there in all formats: rar, cab, lha, iso, xar and warc too.

      ARCHIVE may be - for standard input. Names are raw bytes, escaped as sha256sum does it. What a terminal \
      would obey, or what turns text around, stands as \\u{1B} or \\x9B there, and on standard error wherever that goes.

      Exit status: 0 done; 1 the archive is damaged or refused; 2 wrong usage or no such entry; 3 a limit was \
      reached; 4 the system failed.
      """,
    subcommands: [ListCommand.self, DigestCommand.self, CatCommand.self, TestCommand.self, RunCommand.self])

  @Flag(name: .long, help: "Show the versions of the program, its libraries and the kernel's features.")
  var version = false

  func run() throws {
    guard version else { throw CleanExit.helpRequest(self) }
    try Output.write(SystemReport().description)
  }

  static func main() {
    // Started as worker, it does not return.
    MemArchiveWorker.runIfRequested()
    QuitSignal.restore()
    BrokenPipe.outlive()
    var status = run(RawArguments.keys())
    do throws(ExitStatus) { try Output.flush() } catch { status = error }
    leave(Output.failure ?? status)
  }

  /// Runs the command that these arguments are, and says what is wrong with them.
  private static func run(_ arguments: [String]) -> ExitStatus {
    do {
      // As a flag of this command it would be taken from the subcommands, which say more with it.
      var command = try parseAsRoot(arguments == ["-v"] ? ["--version"] : arguments)
      try command.run()
      return .done
    } catch let status as ExitStatus {
      return status
    } catch {
      let text = fullMessage(for: error)
      guard exitCode(for: error) == .success else {
        Diagnostics.write(text)
        return .usage
      }
      do throws(ExitStatus) { try Output.write(text + "\n") } catch { return error }
      return .done
    }
  }
}
