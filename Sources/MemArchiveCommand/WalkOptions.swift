import ArgumentParser
import MemArchive

/// The options of the subcommands that go through an archive entry by entry.
struct WalkOptions: ParsableArguments {
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "Only entries whose name matches, as in fnmatch(3); * matches / too. May be repeated.",
      valueName: "glob"))
  var include: [Glob] = []

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp("Not the entries whose name matches. May be repeated.", valueName: "glob"))
  var exclude: [Glob] = []

  @Flag(
    name: .shortAndLong,
    help: "Go into archives inside the archive too; their entries are named inner.tar/entry.")
  var recursive = false

  @Flag(name: .long, help: "Go on behind an entry that is damaged or refused.")
  var keepGoing = false

  @OptionGroup var reading: ReadingOptions

  /// Whether they name no entry.
  var admitsAll: Bool { include.isEmpty && exclude.isEmpty }

  /// Whether --include and --exclude let the entry through.
  func admits(_ entry: ArchiveEntry) -> Bool {
    Glob.admits(entry, include: include, exclude: exclude)
  }

  /// Whether archives inside the archive are gone into.
  var nested: NestedArchives { recursive ? .expand : .keep }
}

extension Glob: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
