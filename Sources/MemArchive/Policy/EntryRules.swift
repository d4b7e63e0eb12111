/// The rules that hold wherever entries go: into a dictionary, into a tree, or out of an archive inside another.
extension ExtractionOptions {
  /// Whether a later entry takes the name of an earlier one; a warning tells either way.
  func replacesEarlier(_ name: String, _ warnings: inout WarningList) throws(ArchiveError) -> Bool {
    switch duplicates {
    case .reject: throw .duplicate(name)
    case .first: warnings.add(.leftOut(name))
    case .last: warnings.add(.replaced(name))
    }
    return duplicates == .last
  }

  /// Notes that a link leads to no content, or throws where it has to lead to some.
  ///
  /// - Parameter isRequired: Whether it was asked for by its name.
  func unavailable(
    _ link: String, _ why: String, isRequired: Bool = false, _ warnings: inout WarningList
  ) throws(ArchiveError) {
    guard strictLinks || isRequired else { return warnings.add(.unavailable(link, why)) }
    throw .unavailable(link, why)
  }
}

extension ArchiveEntry {
  /// Whether it is a link to its own name, as some writers give a file with several names: nothing comes of it.
  var isLinkToItself: Bool {
    guard kind == .hardlink, !hasContent, let link else { return false }
    return NameKey(link) == NameKey(name)
      || EntryPath(raw: EntryName.raw(link)) == EntryPath(raw: EntryName.raw(name))
  }

  /// Whether the content of a file with several names may come with a later one, as cpio gives it with the last.
  package var mayGetContentLater: Bool { kind == .file && linkCount > 1 && size == 0 }
}

extension ArchiveError {
  /// Whether content that was tried as an archive turned out to be none that may be read.
  package var saysNoArchive: Bool { code == .unrecognizedFormat || code == .unsupportedFormat }
}

/// A selection that reaches into inner archives, by names as they are seen from outside.
struct NestedSelection {
  let selection: Selection
  let goesInside: Bool
  /// The names that wanted ones begin with, up to a slash.
  private let ways: Set<NameKey>

  init(_ selection: Selection, nested: NestedArchives) {
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
  var wantsAll: Bool { if case .all = selection.rule { true } else { false } }

  func wants(_ entry: ArchiveEntry) -> Bool { selection.includes(entry) }

  /// Whether a wanted entry may lie inside this one, if it is an archive.
  func mayHold(_ entry: ArchiveEntry) -> Bool {
    guard goesInside, entry.kind == .file else { return false }
    return if case .names = selection.rule { ways.contains(NameKey(entry.name)) } else { true }
  }
}
