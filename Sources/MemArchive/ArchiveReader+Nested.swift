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

/// One extraction that goes into the archives it finds.
private struct Expansion {
  private let scope: NestedSelection
  private let options: ExtractionOptions
  /// For what is kept of all archives together.
  let account: EntryAccount

  init(_ selection: Selection, in context: ExtractionContext) {
    scope = NestedSelection(selection, nested: .expand)
    options = context.options
    account = EntryAccount(context.ledger)
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
          return scope.mayHold(entry) || scope.wants(entry)
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
      if scope.wants(entry) { try add(file, named: entry.name, to: &files) }
      // A link's content is gone into under its own name.
      guard scope.mayHold(entry), try file.mayBeArchive else { continue }
      do throws(ArchiveError) {
        try context.check(level: level + 1)
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
    guard files[name] != nil else { return files.append(file, named: name) }
    if try options.replacesEarlier(name, &files.warningList) { files.replace(file, named: name) }
  }

  /// Every name that was asked for has to be there.
  func requireNames(in files: MemFiles) throws(ArchiveError) {
    for name in scope.selection.requiredNames where files[name] == nil && files.error(for: name) == nil {
      if let entry = files.entries.last(where: { NameKey($0.name) == NameKey(name) }) {
        throw .notAFile(entry)
      }
      throw .noSuchEntry(name)
    }
  }
}

extension ArchiveError {
  /// The error with its entry under the name that it has from outside `archive`.
  package func inside(_ archive: String?) -> ArchiveError {
    guard let archive else { return self }
    return of(entry.map { EntryName.joined(archive, $0) } ?? archive)
  }
}

extension ArchiveWarning {
  /// The warning with its entry under the name that it has from outside `archive`.
  package func inside(_ archive: String?) -> ArchiveWarning {
    guard let archive, others == 0 else { return self }
    return ArchiveWarning(entry: entry.map { EntryName.joined(archive, $0) } ?? archive, text: text)
  }
}
