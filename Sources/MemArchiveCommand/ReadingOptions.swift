import ArgumentParser
import MemArchive

/// The options of every subcommand: what an archive may cost, what opens it, what is said.
struct ReadingOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      The formats that may be read, with commas between them: \(ArchiveFormats.names.joined(separator: ", ")). By default all in a sandbox, and \
      standard without.
      """,
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

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Whether archives are read in a sandbox; auto: where one can be had, with a warning otherwise.",
      valueName: "when"))
  var sandbox = SandboxChoice.auto

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Give up on an archive that takes longer to read, with all that lies in it. Without a sandbox the time is looked at \
      between entries and blocks: a loop inside libarchive goes on.
      """, valueName: "seconds"))
  var timeout: Double?

  @Flag(name: .shortAndLong, help: "No warnings and no progress bar.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say more about what is done.")
  var verbose = false

  func validate() throws {
    if let maxEntries, maxEntries < 0 { throw ValidationError("--max-entries must not be negative.") }
    if let timeout, !(timeout > 0 && timeout <= 1e9) {
      throw ValidationError("--timeout must be a time to come.")
    }
  }

  /// A reading that begins now, by these options.
  func context() throws -> ExtractionContext {
    var limits = Limits()
    limits.totalBytes = maxTotal?.bytes
    limits.entryBytes = maxEntry?.bytes
    if let maxEntries { limits.entries = maxEntries }
    let options = ExtractionOptions(
      limits: limits, formats: formats?.formats ?? (sandbox == .off ? .standard : .all),
      insecureNames: rejectInsecureNames ? .reject : .keep, passphrases: try passphrases(),
      sandbox: sandbox.option, timeout: timeout.map { .seconds($0) },
      onProgress: quiet ? nil : ProgressBar.forTerminal())
    return ExtractionContext(
      options, hooks: .init(formatsOutsideSandbox: formats == nil ? .standard : nil))
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

/// The values of --sandbox.
enum SandboxChoice: String, CaseIterable, ExpressibleByArgument {
  case auto, required, off

  var option: ExtractionOptions.Sandbox {
    switch self {
    case .auto: .bestEffort
    case .required: .required
    case .off: .off
    }
  }
}
