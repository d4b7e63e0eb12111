extension ArchiveError {
  /// What can be done about an error. `description` says it in the words of this API; a program with words of its own, such as
  /// the names of its options, renders the cases itself, by ``ArchiveError/description(advice:)``.
  @nonexhaustive
  public enum Advice: Hashable, Sendable {
    /// Allow the archive more, if it is trusted.
    case raiseLimit(ExtractionLimits.Name)
    /// Allow the archive's format, which ``ArchiveError/reason`` names, if it is trusted: ``ExtractionOptions/formats``.
    case allowFormat
    /// Give the passphrase: ``ExtractionOptions/passphrases``.
    case givePassphrase
    /// Allow more time, if the archive is trusted: ``ExtractionOptions/timeout``.
    case allowMoreTime
    /// Read without a sandbox, if the archive is trusted: ``ExtractionOptions/sandbox``.
    case readWithoutSandbox
    /// Read zip entries that overlap, if the archive is trusted: ``ExtractionOptions/overlappingEntries``.
    case readOverlappingEntries
    /// Read a zip that arrives as a whole, by its directory: ``ExtractionOptions/arrivingZips``.
    case readZipWhole
    /// Choose between two entries of one name: ``ExtractionOptions/duplicates``.
    case chooseDuplicate
    /// Allow names that lead out of a directory, if nothing is unpacked to a disk: ``ExtractionOptions/insecureNames``.
    case allowInsecureNames
    /// Leave links that lead out of a tree out of it: ``ExtractionOptions/insecureNames``.
    case leaveOutInsecureLinks
    /// Extract files in place of a tree, because a file has the name of another's directory.
    case extractWithoutDirectories
    /// Extract files in place of a tree, because no file system has such a name.
    case extractWithAnyName
    /// Extract files in place of a tree, for which the system lacks a call.
    case extractWithoutTree
    /// Execute a file from a tree, or change the system's settings, which forbid executable files in memory.
    case executeFromTree
    /// Give the archive as something that can be read again: a file, a descriptor of one, bytes.
    case giveFile
    /// Compare the name with those in the archive; the names there that come close, best first.
    case compareName(similar: [String])
    /// Compare the pattern with the names in the archive.
    case comparePattern
    /// Mount /proc, or do without a path.
    case mountProc
    /// Report a defect of MemArchive, with its version and the system's.
    case reportDefect
    /// A sentence about something other than this API: the system, or how the archive was made.
    case other(String)

    /// All that carry no text.
    static let fixed: [Self] =
      ExtractionLimits.Name.allCases.map { .raiseLimit($0) } + [
        .allowFormat, .givePassphrase, .allowMoreTime, .readWithoutSandbox, .readOverlappingEntries,
        .readZipWhole, .chooseDuplicate, .allowInsecureNames, .leaveOutInsecureLinks,
        .extractWithoutDirectories,
        .extractWithAnyName, .extractWithoutTree, .executeFromTree, .giveFile, .comparePattern, .mountProc,
        .reportDefect,
      ]
  }

  /// ``description`` with the advice in other words.
  ///
  /// - Parameter words: Renders the advice as whole sentences.
  public func description(advice words: (Advice) -> String) -> String {
    var text = path.map { "\"\($0)\": " } ?? entry.map { "entry \"\($0)\": " } ?? ""
    text += reason
    if let call {
      text += errno.map { " (\(call): \($0))" } ?? " (\(call))"
    }
    return PlainText.escaped(text + ". " + words(advice))
  }
}

extension ArchiveError.Advice: CustomStringConvertible {
  /// The advice in the words of this API: one sentence or two, each with a period.
  public var description: String {
    switch self {
    case .raiseLimit(.depth):
      "Raise ExtractionLimits.depth if the archive is trusted, or unpack the outer layers first."
    case .raiseLimit(let limit): "Raise ExtractionLimits.\(limit) if the archive is trusted."
    case .allowFormat: "Add it to ExtractionOptions.formats if the archive is trusted."
    case .givePassphrase: "Give the passphrase (ExtractionOptions.passphrases)."
    case .allowMoreTime: "Allow more time (ExtractionOptions.timeout) if the archive is trusted."
    case .readWithoutSandbox:
      "The sandbox needs it; read the archive without one (ExtractionOptions.sandbox) if it is trusted."
    case .readOverlappingEntries:
      "Read it all the same with ExtractionOptions.overlappingEntries if the archive is trusted."
    case .readZipWhole:
      "Use nothing that came out, and read it again as a whole (ExtractionOptions.arrivingZips = .whole)."
    case .chooseDuplicate: "Choose the first or the last with ExtractionOptions.duplicates."
    case .allowInsecureNames:
      "Allow it with ExtractionOptions.insecureNames if the entries are not unpacked to a disk."
    case .leaveOutInsecureLinks:
      "Leave it out with ExtractionOptions.insecureNames = .keep, which lists it in MemTree.skipped."
    case .extractWithoutDirectories:
      "Extract it with extract(), which needs no directories, or leave the entry out with a selection."
    case .extractWithAnyName:
      "Extract it with extract(), which takes any name, or leave the entry out with a selection."
    case .extractWithoutTree:
      "A tree needs Linux 5.12, and a seccomp filter that knows this call: use extract() here."
    case .executeFromTree:
      "Execute it from a tree (ArchiveReader.tree()), or set vm.memfd_noexec to 1 (sysctl(8))."
    case .giveFile: "A pipe gives its bytes once: use a file, or keep the pipe's content in a MemFile."
    case .compareName(let similar):
      Self.question(similar) + "List the names with entries(); they are compared byte by byte."
    case .comparePattern: "List the names with entries(); a pattern is for the whole name."
    case .mountProc:
      "Mount /proc, or use withBytes or fileDescriptor (below that of a tree, openat(2)), which need no path."
    case .reportDefect: Self.report(with: "what PlatformReport says")
    case .other(let text): text
    }
  }

  /// "Did you mean …? ", or nothing.
  package static func question(_ similar: [String]) -> String {
    similar.isEmpty ? "" : NearestNames.question(similar) + " "
  }

  package static func report(with system: String) -> String {
    "A defect of MemArchive is likelier than an attack: please report it, with the archive if you may and \(system). Trust "
      + "the archive no more than others meanwhile."
  }
}

extension ArchiveError.Advice: ExpressibleByStringInterpolation {
  /// ``other(_:)``.
  public init(stringLiteral text: String) { self = .other(text) }
}
