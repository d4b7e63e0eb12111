import ArgumentParser
import MemArchive

struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Extract everything into sealed memory, verify it, and print one line an archive.")

  @Argument(
    help: ArgumentHelp("The archives, or - for standard input.", valueName: "archive"), completion: .file())
  var archives: [String]
  @Flag(name: .long, help: "Keep all entries of all archives in memory until the end.")
  var hold = false
  @Option(help: "Whether each entry has a descriptor of its own; automatic: as long as there are any.")
  var storage = Storage.automatic
  @OptionGroup var options: WalkOptions

  func validate() throws {
    if archives.isEmpty { throw ValidationError("Name at least one archive.") }
  }

  func run() throws {
    // Where packing is allowed, the limit that the user has set is the budget.
    if hold, storage == .dedicated { DescriptorLimit.raise() }
    var held: [MemFile] = []
    /// What the entries of these files are charged to.
    var accounts: [EntryAccount] = []
    defer { withExtendedLifetime(accounts) {} }
    func keep(_ file: MemFile) { if hold { held.append(file) } }
    var worst = ExitStatus.done
    for argument in archives {
      let archive = try Archive(argument, options.reading)
      var tally = Tally()
      let status: ExitStatus
      let account = hold ? EntryAccount(archive.context.ledger) : nil
      if let account { accounts.append(account) }
      if options.recursive {
        status = try archive.walk(options, storage: storage.option) { entry, _, content in
          tally.entries += 1
          try account?.add(entry)
          if entry.hasContent { keep(tally.count(try content())) }
        }
      } else {
        (status, tally.entries) = try archive.visit(
          options, storage: storage.option, account
        ) { file in keep(tally.count(file)) }
      }
      let verdict = status == .done ? "OK" : "FAILED"
      try Output.write(NameText.escaped(argument).bytes)
      try Output.write(
        ": \(verdict), \(tally)\(hold ? " held" : "")\n")
      worst = worst.and(status)
    }
    let files = held
    held = []
    MemFile.release(consume files)
    if worst != .done { throw worst }
  }
}

/// What an archive turned out to hold.
private struct Tally: CustomStringConvertible {
  var entries = 0
  private var files = 0
  private var bytes: Int64 = 0

  var description: String { "\(entries) entries, \(files) with content, \(bytes) bytes" }

  mutating func count(_ file: MemFile) -> MemFile {
    files += 1
    bytes += Int64(file.size)
    return file
  }
}

extension TestCommand {
  /// The values of --storage.
  enum Storage: String, CaseIterable, ExpressibleByArgument {
    case automatic, dedicated, packed

    var option: ExtractionOptions.Storage {
      switch self {
      case .automatic: .automatic
      case .dedicated: .dedicated
      case .packed: .packed
      }
    }
  }
}
