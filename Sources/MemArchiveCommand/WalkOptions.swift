import ArgumentParser
import MemArchive

/// The options by which entries are chosen by their names.
struct GlobOptions: ParsableArguments {
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "Only entries whose name matches, as in fnmatch(3); * matches / too. May be repeated.",
      valueName: "glob"))
  var include: [Glob] = []

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp("Skip entries whose name matches. May be repeated.", valueName: "glob"))
  var exclude: [Glob] = []

  /// Whether all entries are admitted.
  var admitsAll: Bool { include.isEmpty && exclude.isEmpty }
}

/// The options of the subcommands that read an archive entry by entry.
struct WalkOptions: ParsableArguments {
  @OptionGroup var globs: GlobOptions

  @Flag(
    name: .shortAndLong,
    help: "Read archives inside the archive too; their entries are named inner.tar/entry.")
  var recursive = false

  @Flag(name: .long, help: "Continue after an entry that is damaged or refused.")
  var keepGoing = false

  @OptionGroup var reading: ReadingOptions

  /// Whether --include and --exclude admit the entry.
  func admits(_ entry: ArchiveEntry) -> Bool {
    Glob.admits(entry, include: globs.include, exclude: globs.exclude)
  }

  /// Whether to read archives inside the archive.
  var nested: ExtractionOptions.NestedArchives { recursive ? .expand : .keep }
}

extension Glob: ExpressibleByArgument {
  init?(argument: String) { self.init(argument) }
}
