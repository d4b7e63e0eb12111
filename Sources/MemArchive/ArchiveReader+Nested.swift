/// What to do with archives that lie inside the archive.
public enum NestedArchives: Hashable, Sendable {
  /// They are files like any other.
  case keep
  /// Their entries are extracted too, under `name of the inner archive/name in it`; the inner archive stays as well.
  case expand
}

extension ArchiveReader {
  /// Extracts the selected entries, and with ``NestedArchives/expand`` those of archives inside the archive, all under one
  /// name space: `data.tar.xz/usr/share/x`, without the "./" that tar writers put in front.
  ///
  /// A selection is asked with these long names. A compressed file that holds no archive stays as it is, and so does what
  /// only begins like an archive; links lead nowhere but inside their own archive. The limits hold for all of it together,
  /// and ``Limits/depth`` bounds how deep archives may lie in each other.
  ///
  /// - Throws: As ``extract(_:options:)-6v0su``; ``ArchiveError/Code/tooManyLayers`` naming the innermost archive.
  public func extract(
    _ selection: Selection = .all, nested: NestedArchives, options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemFiles {
    try extract(selection, nested: nested, in: ExtractionContext(options))
  }
}

extension ArchiveReader {
  package func extract(
    _ selection: Selection = .all, nested: NestedArchives, in context: ExtractionContext
  ) throws(ArchiveError) -> MemFiles {
    guard nested == .expand else { return try extract(selection, in: context) }
    let expansion = Expansion(selection, in: context)
    var files = MemFiles(threads: context.threads, expansion.account)
    try expansion.expand(self, in: context, inside: nil, level: 0, into: &files)
    try expansion.requireNames(in: files)
    try files.warnAboutEquivalentNames(context.cancellation)
    return files
  }
}

extension MemFile {
  /// Whether the content begins like an archive, or like something compressed in which one may lie.
  package var mayBeArchive: Bool {
    get throws(ArchiveError) {
      // By position, and not through a mapping: many files would need many of these. A slab is mapped already.
      try ArchiveReader.mayBeArchive(
        isPacked ? MemorySource(self) : FileSource(try fileDescriptor, size: Int64(size), isOwned: false))
    }
  }
}

extension ArchiveReader {
  /// Whether content begins like an archive, or like something compressed in which one may lie.
  static func mayBeArchive(_ source: any ByteSource) throws(ArchiveError) -> Bool {
    let content = BufferedSource(source)
    let head = try content.peek(Filter.headSize)
    if case .filter = Filter.recognize(head) { return true }
    if FormatSignature.recognize(head) != nil { return true }
    return FormatSignature.recognize(try content.peek(FormatSignature.headSize)) != nil
  }
}

extension ArchiveError {
  /// Whether content that was tried as an archive turned out to be none that may be read.
  package var saysNoArchive: Bool { code == .unrecognizedFormat || code == .unsupportedFormat }
}

/// One extraction that goes into the archives it finds.
private struct Expansion {
  private let selection: Selection
  private let options: ExtractionOptions
  /// What is kept of all archives together.
  let account: EntryAccount
  /// All that a wanted name could lie in, when entries are wanted by name.
  private let waysToNames: Set<NameKey>

  init(_ selection: Selection, in context: ExtractionContext) {
    self.selection = selection
    options = context.options
    account = EntryAccount(context.ledger)
    waysToNames = selection.waysToNames
  }

  /// Extracts what is wanted of one archive, then goes into the archives among that.
  func expand(
    _ reader: ArchiveReader, in context: ExtractionContext, inside outer: String?, level: Int,
    into files: inout MemFiles
  ) throws(ArchiveError) {
    let found: MemFiles
    do throws(ArchiveError) {
      found = try reader.extract(
        .matching { entry in
          let entry = entry.inside(outer)
          return mayHold(entry) || isWanted(entry)
        }, in: context)
    } catch {
      throw error.inside(outer)
    }
    let entries = found.entries.map { $0.inside(outer) }
    if outer == nil {
      files.keepCharges(of: found)
    } else {
      // Under other names they are others.
      for entry in entries { try account.add(entry) }
    }
    files.entries += entries
    for error in found.errors { try note(error.inside(outer), in: &files) }
    files.warningList.add(found.warnings.map { $0.inside(outer) })
    let shown = Dictionary(
      zip(found.entries.map { NameKey($0.name) }, entries), uniquingKeysWith: { _, later in later })
    for (name, file) in found {
      guard let entry = shown[NameKey(name)] else { continue }
      if isWanted(entry) { try add(file, named: entry.name, to: &files) }
      // A link's content is gone into under its own name.
      guard entry.kind == .file, mayHold(entry), try file.mayBeArchive else { continue }
      do throws(ArchiveError) {
        guard level + 1 < options.limits.depth else {
          throw ArchiveError.tooManyLayers(options.limits.depth).naming(entry.name)
        }
        try expand(
          ArchiveReader(file), in: context.inside, inside: entry.name, level: level + 1, into: &files)
      } catch {
        if error.saysNoArchive { continue }
        guard context.goesOnAfterInner(error) else { throw error.naming(entry.name) }
        try note(error.naming(entry.name), in: &files)
      }
    }
  }

  private func note(_ error: ArchiveError, in files: inout MemFiles) throws(ArchiveError) {
    try account.add(error)
    files.errors.append(error)
  }

  /// An inner entry may have the long name of another: "./x" beside "x", or an outer "in.tar/x".
  private func add(_ file: MemFile, named name: String, to files: inout MemFiles) throws(ArchiveError) {
    guard files[name] != nil else {
      files.append(file, named: name)
      return
    }
    switch options.duplicates {
    case .reject: throw .duplicate(name)
    case .first: files.warningList.add(.leftOut(name))
    case .last:
      files.warningList.add(.replaced(name))
      files.replace(file, named: name)
    }
  }

  /// Every name that was asked for has to be there.
  func requireNames(in files: MemFiles) throws(ArchiveError) {
    guard case .names(_, let names) = selection.rule else { return }
    for name in names where files[name] == nil && files.error(for: name) == nil {
      if let entry = files.entries.last(where: { NameKey($0.name) == NameKey(name) }) {
        throw .notAFile(entry)
      }
      throw .noSuchEntry(name)
    }
  }

  private func isWanted(_ entry: ArchiveEntry) -> Bool { selection.includes(entry) }

  /// Whether a wanted entry may lie inside this one.
  private func mayHold(_ entry: ArchiveEntry) -> Bool {
    entry.kind == .file && selection.mayLie(in: entry, waysToNames)
  }
}

extension ArchiveError {
  /// The error with its entry under the name that it has from outside `archive`.
  package func inside(_ archive: String?) -> ArchiveError {
    guard let archive else { return self }
    var error = self
    error.entry = entry.map { EntryName.joined(archive, $0) } ?? archive
    return error
  }
}

extension ArchiveWarning {
  /// The warning with its entry under the name that it has from outside `archive`.
  package func inside(_ archive: String?) -> ArchiveWarning {
    guard let archive, others == 0 else { return self }
    return ArchiveWarning(entry: entry.map { EntryName.joined(archive, $0) } ?? archive, text: text)
  }
}
