import ArgumentParser

/// One process, one reader above all ways; its answers are JSON for `bench.py`.
@main
struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Measure MemArchive against temporary files and against the limit, and in a server.",
    subcommands: [TimesCommand.self, MemoryCommand.self, ServerCommand.self])
}
