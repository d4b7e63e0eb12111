import ArgumentParser
import FoundationEssentials
import MemArchive

struct TestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test", _superCommandName: "memarchive",
    abstract: "Extract everything into sealed memory, verify it, and print one line per archive.",
    discussion: """
      With --json, prints one object per archive: {"archive", "verdict", "status", "entries", "files", "bytes", "held", \
      "milliseconds", "error", "errors", "failures", "refusals"}. verdict is OK or FAILED, status the exit status for \
      this archive alone, held the most bytes that it had in memory at once, milliseconds the time that it took, error the \
      first that was found, errors the first thousand, each {"name", "code", "error", "status"}, failures their number, \
      and refusals that of each code, {"code", "count"}. With --keep-going, every entry that is not among the errors is \
      intact.
      """)

  @Argument(
    help: ArgumentHelp("The archives, or - for standard input.", valueName: "archive"), completion: .file())
  var archives: [String]
  @Flag(
    name: .long,
    help: "Keep all entries of all archives in memory until the end; one archive is read after another.")
  var hold = false
  @Flag(help: "Print one JSON object per line.")
  var json = false
  @Option(help: "Whether each entry gets a descriptor of its own; automatic: while descriptors last.")
  var storage = Storage.automatic
  @OptionGroup var jobs: JobOptions
  @OptionGroup var options: WalkOptions

  func validate() throws {
    if archives.isEmpty { throw ValidationError("Give at least one archive.") }
  }

  func run() throws {
    // With packing allowed, the user's own limit is the budget.
    if hold, storage == .dedicated { DescriptorLimit.raise() }
    var held: [MemFile] = []
    /// Charged for the entries of these files.
    var accounts: [EntryAccount] = []
    defer { withExtendedLifetime(accounts) {} }
    let status = try jobs.forEach(archives, options.reading, inTurn: hold) { index in
      let archive = try Archive(archives[index], options.reading)
      let account = hold ? EntryAccount(archive.context.ledger) : nil
      if let account { accounts.append(account) }
      return try test(archive, account) { file in if hold { held.append(file) } }
    }
    let files = held
    held = []
    MemFile.release(consume files)
    if status != .done { throw status }
  }

  private func test(
    _ archive: Archive, _ account: EntryAccount?, keep: @escaping (MemFile) -> Void
  ) throws -> ExitStatus {
    var tally = Tally()
    let begin = ContinuousClock.now
    let status: ExitStatus
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
    if json {
      let failures = archive.failures
      let record = Record(
        archive: archive.name, verdict: verdict, error: failures.kept.first?.error,
        errors: failures.kept.isEmpty ? nil : failures.kept,
        failures: failures.count > 0 ? failures.count : nil,
        refusals: failures.count > 0 ? failures.byCode : nil, status: status.code, entries: tally.entries,
        files: tally.files, bytes: tally.bytes, held: archive.context.ledger.mostHeld,
        milliseconds: begin.elapsedMilliseconds)
      try Output.write(JSONLine.bytes(record, by: JSONLine.encoder()))
    } else {
      try Output.write(NameText.escaped(archive.name).bytes)
      try Output.write(": \(verdict), \(tally)\(hold ? " held" : "")\n")
    }
    return status
  }
}

/// One archive as `test --json` has it.
private struct Record: Encodable {
  let archive, verdict: String
  let error: String?
  let errors: [FailureRecord]?
  let failures: Int?
  let refusals: [Refusals]?
  let status: Int32
  let entries, files: Int
  let bytes, held: Int64
  let milliseconds: Int
}

extension ContinuousClock.Instant {
  /// Whole milliseconds from then until now.
  var elapsedMilliseconds: Int { Int((ContinuousClock.now - self) / .milliseconds(1)) }
}

/// Counts of an archive's content.
private struct Tally: CustomStringConvertible {
  var entries = 0
  private(set) var files = 0
  private(set) var bytes: Int64 = 0

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
