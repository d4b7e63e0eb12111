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

  /// Whether --include and --exclude let the entry through.
  func admits(_ entry: ArchiveEntry) -> Bool {
    // Most often everything is wanted, and a name costs something to convert.
    guard !include.isEmpty || !exclude.isEmpty else { return true }
    let name = Glob.cString(entry.name)
    return (include.isEmpty || include.contains { $0.matches(name) })
      && !exclude.contains { $0.matches(name) }
  }

  /// Whether archives inside the archive are gone into.
  var nested: NestedArchives { recursive ? .expand : .keep }
}

extension Glob: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
