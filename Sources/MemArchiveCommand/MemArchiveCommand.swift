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

      ARCHIVE may be - for standard input. Names are raw bytes, escaped as sha256sum does it.

      Exit status: 0 done; 1 the archive is damaged or refused; 2 wrong usage or no such entry; 3 a limit was \
      reached; 4 the system failed.
      """,
    subcommands: [ListCommand.self, DigestCommand.self, CatCommand.self, TestCommand.self, RunCommand.self])

  @Flag(name: .long, help: "Show the versions of the program, its libraries and the kernel's features.")
  var version = false

  func run() throws {
    guard version else { throw CleanExit.helpRequest(self) }
    Output.write(SystemReport().description)
    Output.flush()
  }

  static func main() {
    // Started as worker, it does not return.
    MemArchiveWorker.runIfRequested()
    do {
      var command = try parseAsRoot(RawArguments.keys())
      try command.run()
    } catch let status as ExitStatus {
      Output.flush()
      leave(status)
    } catch {
      Output.flush()
      let text = fullMessage(for: error)
      let isHelp = exitCode(for: error) == .success
      if isHelp {
        Output.write(text + "\n")
        Output.flush()
      } else {
        Diagnostics.write(text)
      }
      leave(isHelp ? .done : .usage)
    }
    Output.flush()
    leave(.done)
  }
}
