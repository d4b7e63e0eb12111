import ArgumentParser
import MemArchive
import Synchronization

/// The options of every subcommand: limits, formats, passphrases, sandbox and verbosity.
struct ReadingOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      The formats that may be read, separated by commas: \(ArchiveFormats.names.joined(separator: ", ")). The default is all in a sandbox \
      and standard without one.
      """,
      valueName: "list"))
  var formats: FormatList?

  @Option(
    name: .long,
    help: ArgumentHelp("A file with one passphrase per line; each is tried in turn.", valueName: "file"),
    completion: .file())
  var passphraseFile: String?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("Maximum size of all entries together (512M, 2GiB).", valueName: "size"),
    transform: ByteCount.init(parsing:))
  var maxTotal: ByteCount?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("Maximum size of one entry.", valueName: "size"), transform: ByteCount.init(parsing:))
  var maxEntry: ByteCount?

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("Maximum number of entries.", valueName: "number"))
  var maxEntries: Int?

  @Flag(name: .long, help: "Refuse names that lead out of the directory they are unpacked into.")
  var rejectInsecureNames = false

  @Flag(name: .long, help: "Read zip entries that overlap, as in a zip bomb.")
  var readOverlapping = false

  @Flag(
    name: .long,
    help: """
      Read a zip that comes through a pipe while it arrives. What comes out counts only if there is no error at the end, when the \
      directory is compared with it; symbolic links are one.
      """)
  var arrivingZip = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Whether to read archives in a sandbox; auto: if possible, with a warning otherwise.",
      valueName: "when"))
  var sandbox = SandboxChoice.auto

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp(
      """
      Give up on an archive that takes longer to read, including archives in it. Without a sandbox the time is checked \
      only between entries and blocks, so a loop inside libarchive is not interrupted.
      """, valueName: "seconds"))
  var timeout: Double?

  @OptionGroup var verification: VerificationOptions

  @Flag(name: .shortAndLong, help: "Show no warnings and no progress bar.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Show how the archive is read, and each entry that is.")
  var verbose = false

  func validate() throws {
    if let maxEntries, maxEntries < 0 { throw ValidationError("--max-entries must not be negative.") }
    if let timeout, !(timeout > 0 && timeout <= 1e9) {
      throw ValidationError("--timeout must be greater than 0, and at most 1e9.")
    }
    if let memory = Environment.value(Environment.memory), ByteCount(argument: memory) == nil {
      throw ValidationError("\(Environment.memory)=\(memory): \(ByteCount.example)")
    }
  }

  /// A context for a reading that begins now.
  func context() throws -> ExtractionContext {
    var limits = ExtractionLimits()
    limits.totalBytes = maxTotal?.bytes
    limits.entryBytes = maxEntry?.bytes
    if let maxEntries { limits.entries = maxEntries }
    let options = try ExtractionOptions { options in
      options.limits = limits
      options.formats = formats?.formats ?? (sandbox == .off ? .standard : .all)
      options.insecureNames = rejectInsecureNames ? .reject : .keep
      options.overlappingEntries = readOverlapping ? .read : .reject
      options.arrivingZips = arrivingZip ? .byLocalHeaders : .whole
      options.passphrases = try passphrases()
      options.sandbox = sandbox.option
      options.timeout = timeout.map { .seconds($0) }
      options.onProgress = quiet ? nil : ProgressBar.forTerminal()
    }
    return ExtractionContext(
      options, hooks: .init(formatsOutsideSandbox: formats == nil ? .standard : nil))
  }

  private static let passphrases = Mutex<[String]?>(nil)

  private func passphrases() throws -> [String] {
    guard let passphraseFile else { return [] }
    do {
      // Read once: it may be a pipe, and there may be several archives.
      return try Self.passphrases.withLock { known in
        if let known { return known }
        let text = try RawText.read(ArchiveEntry.rawName(of: passphraseFile))
        let passphrases = text.split { $0.isNewline }.map { String($0) }
        known = passphrases
        return passphrases
      }
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

/// The value of --formats.
struct FormatList: ExpressibleByArgument {
  let formats: ArchiveFormats

  init?(argument: String) {
    guard let formats = ArchiveFormats(argument), !formats.isEmpty else { return nil }
    self.formats = formats
  }
}
