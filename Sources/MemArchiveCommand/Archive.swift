import Glibc
import MemArchive
import SystemPackage

/// An archive named on the command line, and how each subcommand walks through it.
struct Archive {
  let argument: String
  let reader: ArchiveReader

  init(_ argument: String) {
    self.argument = argument
    reader =
      argument == "-"
      ? ArchiveReader(descriptor: .standardInput)
      : ArchiveReader(path: MemoryText.path(ArchiveEntry.rawName(of: argument)))
  }

  /// Calls `visit` for each entry that the options admit, one after another. What is wrong is reported where it is met;
  /// it ends the walk unless --keep-going says otherwise.
  func walk(
    _ options: WalkOptions, _ visit: (ArchiveEntry, inout ArchiveStream) throws -> Void
  ) throws -> ExitStatus {
    var status = ExitStatus.done
    do {
      var stream = try reader.stream(options: try options.reading.extractionOptions())
      while true {
        do {
          guard let entry = try stream.next() else { break }
          if options.reading.verbose { Diagnostics.report("\(argument): \(entry.kind) \(entry.name)") }
          if options.admits(entry) { try visit(entry, &stream) }
        } catch let error as ArchiveError {
          status = status.and(report(error))
          if !options.keepGoing { break }
        }
      }
      ProgressBar.clear()
      if !options.reading.quiet {
        for warning in stream.warnings { Diagnostics.report("\(argument): warning: \(warning)") }
      }
    } catch let error as ArchiveError {
      status = status.and(report(error))
    }
    return status
  }

  /// Says what is wrong with the archive, and what that means for the exit status.
  func report(_ error: ArchiveError) -> ExitStatus {
    Diagnostics.report("\(argument): \(error)")
    return ExitStatus(error)
  }
}
