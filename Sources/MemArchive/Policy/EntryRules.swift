/// The rules for all destinations of entries: a dictionary, a tree, or an archive inside another.
extension ExtractionOptions {
  /// Whether a later entry takes the name of an earlier one; adds a warning either way.
  func replacesEarlier(_ name: String, _ warnings: inout WarningList) throws(ArchiveError) -> Bool {
    switch duplicates {
    case .reject: throw .duplicate(name)
    case .first: warnings.add(.leftOut(name))
    case .last: warnings.add(.replaced(name))
    }
    return duplicates == .last
  }

  /// Notes that a link leads to no content, or throws if it has to lead to some.
  ///
  /// - Parameter isRequired: Whether it was requested by name.
  func unavailable(
    _ link: String, _ why: String, isRequired: Bool = false, _ warnings: inout WarningList
  ) throws(ArchiveError) {
    guard brokenLinks == .reject || isRequired else { return warnings.add(.unavailable(link, why)) }
    throw .unavailable(link, why)
  }
}

extension ArchiveEntry {
  /// Whether it is a link to its own name, as some writers make for a file with several names; such a link is ignored.
  var isLinkToItself: Bool {
    guard kind == .hardlink, !hasContent, let link else { return false }
    return NameKey(link) == NameKey(name)
      || EntryPath(raw: EntryName.raw(link)) == EntryPath(raw: EntryName.raw(name))
  }

  /// Whether the content of a file with several names may come with a later one, as in cpio with the last.
  package var mayGetContentLater: Bool { kind == .file && linkCount > 1 && size == 0 }
}

extension ArchiveError {
  /// Whether the error means that the content is not an archive that may be read.
  package var saysNoArchive: Bool { code == .unrecognizedFormat || code == .unsupportedFormat }
}

extension ExtractionOptions {
  /// Throws or warns of what was selected by name or pattern and is not there.
  ///
  /// - Parameters:
  ///   - entries: All of the archive.
  ///   - errors: What could not be read: then nobody knows which names patterns would match.
  ///   - isThere: Whether a name is among them.
  func check(
    _ selection: EntrySelection, in entries: [ArchiveEntry], _ errors: [ArchiveError],
    _ warnings: inout WarningList, isThere: (String) throws(ArchiveError) -> Bool
  ) throws(ArchiveError) {
    for name in selection.requiredNames where try !isThere(name) {
      try note(.noSuchEntry(name, among: entries), &warnings)
    }
    if errors.isEmpty, let error = selection.noMatch, !entries.contains(where: selection.matches) {
      try note(error, &warnings)
    }
  }

  private func note(_ missing: ArchiveError, _ warnings: inout WarningList) throws(ArchiveError) {
    guard unmatchedSelection == .warn else { throw missing }
    warnings.add(ArchiveWarning(.noMatch, entry: missing.entry, missing.reason))
  }
}

extension EntrySelection {
  /// The error if no entry matches its patterns.
  var noMatch: ArchiveError? { if case .globs(let globs) = rule { .noMatch(globs) } else { nil } }
}

/// A selection that extends into inner archives, by long names.
struct NestedSelection {
  let selection: EntrySelection
  let goesInside: Bool
  /// The prefixes of wanted names, up to a slash.
  private let ways: Set<NameKey>

  init(_ selection: EntrySelection, nested: ExtractionOptions.NestedArchives) {
    self.selection = selection
    goesInside = nested == .expand
    var ways: Set<NameKey> = []
    if goesInside, case .names(let names, _) = selection.rule {
      for name in names.map(\.name) {
        for slash in name.utf8.indices where name.utf8[slash] == UInt8(ascii: "/") {
          ways.insert(NameKey(String(name[..<slash])))
        }
      }
    }
    self.ways = ways
  }

  /// Whether every entry is wanted.
  var wantsAll: Bool {
    if case .all = selection.rule { selection.excluded.isEmpty } else { false }
  }

  func wants(_ entry: ArchiveEntry) -> Bool { selection.matches(entry) }

  /// Whether this entry may contain a wanted one, if it is an archive.
  func mayHold(_ entry: ArchiveEntry) -> Bool { entry.kind == .file && leadsInto(entry.name) }

  /// Whether an archive of this name may contain a wanted entry.
  func leadsInto(_ name: String) -> Bool {
    guard goesInside else { return false }
    return if case .names = selection.rule { ways.contains(NameKey(name)) } else { true }
  }
}
