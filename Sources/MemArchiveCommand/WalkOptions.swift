import ArgumentParser
import Glibc
import MemArchive

/// The options of the subcommands that go through an archive entry by entry.
struct WalkOptions: ParsableArguments {
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "Only entries whose name matches, as in fnmatch(3); * matches / too. May be repeated.",
      valueName: "glob"))
  var include: [String] = []

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp("Not the entries whose name matches. May be repeated.", valueName: "glob"))
  var exclude: [String] = []

  @Flag(
    name: .shortAndLong,
    help: "Go into archives inside the archive too; their entries are named inner.tar/entry.")
  var recursive = false

  @Flag(name: .long, help: "Go on behind an entry that is damaged or refused.")
  var keepGoing = false

  @OptionGroup var reading: ReadingOptions

  /// Whether --include and --exclude let the entry through.
  func admits(_ entry: ArchiveEntry) -> Bool {
    let name = ArchiveEntry.rawName(of: entry.name)
    return (include.isEmpty || include.contains { Self.matches($0, name) })
      && !exclude.contains { Self.matches($0, name) }
  }

  private static func matches(_ glob: String, _ name: [UInt8]) -> Bool {
    func string(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }
    return unsafe fnmatch(string(ArchiveEntry.rawName(of: glob)), string(name), 0) == 0
  }
}
