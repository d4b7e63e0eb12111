import ArgumentParser
import MemArchive

/// The options of every subcommand: what an archive may cost, what opens it, what is said.
struct ReadingOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The formats that may be read, with commas between them: \(FormatList.names). By default standard.",
      valueName: "list"))
  var formats: FormatList?

  @Option(
    name: .long,
    help: ArgumentHelp("A file with one passphrase a line, each tried in turn.", valueName: "file"),
    completion: .file())
  var passphraseFile: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Bytes that all entries may have together (512M, 2GiB).", valueName: "size"))
  var maxTotal: ByteCount?

  @Option(name: .long, help: ArgumentHelp("Bytes that one entry may have.", valueName: "size"))
  var maxEntry: ByteCount?

  @Option(name: .long, help: ArgumentHelp("Entries that the archive may have.", valueName: "number"))
  var maxEntries: Int?

  @Flag(name: .long, help: "Refuse names that lead out of the directory they are unpacked in.")
  var rejectInsecureNames = false

  @Flag(name: .shortAndLong, help: "No warnings and no progress bar.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say more about what is done.")
  var verbose = false

  func validate() throws {
    if let maxEntries, maxEntries < 0 { throw ValidationError("--max-entries must not be negative.") }
  }

  /// The library's options that these amount to.
  func extractionOptions() throws -> ExtractionOptions {
    var limits = Limits()
    limits.totalBytes = maxTotal?.bytes
    limits.entryBytes = maxEntry?.bytes
    if let maxEntries { limits.entries = maxEntries }
    return ExtractionOptions(
      limits: limits, formats: formats?.formats ?? .standard,
      insecureNames: rejectInsecureNames ? .reject : .keep, passphrases: try passphrases(),
      onProgress: quiet ? nil : ProgressBar.forTerminal())
  }

  private func passphrases() throws -> [String] {
    guard let passphraseFile else { return [] }
    do {
      let text = try MemoryText.read(ArchiveEntry.rawName(of: passphraseFile))
      return text.split { $0.isNewline }.map { String($0) }
    } catch {
      Diagnostics.report("cannot read the passphrase file \"\(passphraseFile)\": \(error)")
      throw ExitStatus.system
    }
  }
}
