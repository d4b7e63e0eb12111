import ArgumentParser
import MemArchive

struct CatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat", _superCommandName: "memarchive",
    abstract: "Write the content of entries to standard output.",
    discussion: """
      The entries come in the archive's order, whatever the order of the names, each verified before its first byte is \
      written; links come last, with the content they lead to. Of two entries of one name both are written.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(
    help: ArgumentHelp("The names of the entries; those that --include admits may do.", valueName: "name"),
    completion: EntryCompletion.entries)
  var names: [String] = []
  @OptionGroup var options: WalkOptions

  func validate() throws {
    if names.isEmpty, options.globs.include.isEmpty {
      throw ValidationError("Give the names of entries, or a pattern by --include.")
    }
  }

  func run() throws {
    let archive = try Archive.opened(archive, isSelected: true, options.reading)
    var wanted = WantedNames(names)
    var links: [String] = []
    var status = try archive.walk(options, isSparing: !names.isEmpty) { entry, _, content in
      guard wanted.take(entry) else { return }
      if entry.kind == .symlink || entry.kind == .hardlink || entry.mayGetContentLater {
        links.append(entry.name)
      } else if entry.hasContent || !names.isEmpty {
        // Throws an error that a named entry has no content.
        try Output.write(content())
      }
    }
    if status == .done || options.keepGoing {
      status = status.and(try archive.forEachLink(links, options) { _, file in try Output.write(file) })
    }
    status = status.and(
      wanted.reportMissing(
        in: archive, afterAll: status == .done, for: .content, recursive: options.recursive))
    if status != .done { throw status }
  }
}
