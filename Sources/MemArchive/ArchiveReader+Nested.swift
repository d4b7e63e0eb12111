extension ArchiveReader {
  package func extract(
    _ selection: EntrySelection = .all, nested: ExtractionOptions.NestedArchives,
    in context: ExtractionContext
  ) throws(ArchiveError) -> MemFiles {
    guard nested == .expand else { return try extract(selection, in: context) }
    let expansion = Expansion(selection, in: context)
    var files = MemFiles(threads: context.threads, expansion.account)
    try expansion.expand(ArchiveLevel(outermost: self, in: context), into: &files)
    try expansion.requireNames(in: &files)
    try files.warnAboutEquivalentNames(context.cancellation)
    return files
  }
}

extension MemFile {
  /// Whether the content begins like an archive, or like compressed data that may contain one.
  package var mayBeArchive: Bool {
    get throws(ArchiveError) {
      // Read by position because a mapping for each of many files would be too many. A slab is mapped already.
      try ArchiveReader.mayBeArchive(
        isPacked ? MemorySource(self) : FileSource(try contentDescriptor, size: Int64(size), isOwned: false))
    }
  }
}

extension ArchiveReader {
  /// Whether content begins like an archive, or like compressed data that may contain one.
  static func mayBeArchive(_ source: any ByteSource) throws(ArchiveError) -> Bool {
    let content = BufferedSource(source)
    let head = try content.peek(Filter.headSize)
    if case .filter = Filter.recognize(head) { return true }
    if FormatSignature.recognize(head, isWrapped: true) != nil { return true }
    return FormatSignature.recognize(try content.peek(FormatSignature.headSize), isWrapped: true) != nil
  }
}

/// One extraction that descends into the archives it finds.
private struct Expansion {
  private let scope: NestedSelection
  private let options: ExtractionOptions
  /// Charged for entries and errors of all archives together.
  let account: EntryAccount

  init(_ selection: EntrySelection, in context: ExtractionContext) {
    scope = NestedSelection(selection, nested: .expand)
    options = context.options
    account = EntryAccount(context.ledger)
  }

  /// Extracts the wanted entries of one archive, then descends into the archives among them.
  func expand(_ level: ArchiveLevel, into files: inout MemFiles) throws(ArchiveError) {
    try level.check()
    let found: MemFiles
    do throws(ArchiveError) {
      found = try level.reader.extract(
        .matching { entry in
          let entry = level.full(entry)
          return scope.mayHold(entry) || scope.wants(entry)
        }, in: level.context)
    } catch {
      throw level.full(error)
    }
    let entries = found.entries.map { level.full($0) }
    if level.isOutermost {
      files.keepCharges(of: found)
    } else {
      // Under their long names they are copies, and charged as such.
      for entry in entries { try account.add(entry) }
    }
    files.entries += entries
    for error in found.errors { try note(level.full(error), in: &files) }
    files.warningList.add(found.warnings.map { level.full($0) })
    let shown = Dictionary(
      zip(found.entries.map { NameKey($0.name) }, entries), uniquingKeysWith: { _, later in later })
    for (name, file) in found {
      guard let entry = shown[NameKey(name)] else { continue }
      if scope.wants(entry) { try add(file, named: entry.name, to: &files) }
      // An archive is entered under its own name, not under a link's.
      guard scope.mayHold(entry), try file.mayBeArchive else { continue }
      do throws(ArchiveError) {
        try expand(level.inner(ArchiveReader(contentsOf: file), of: entry), into: &files)
      } catch {
        if let error = try level.outlives(error, of: entry) { try note(error, in: &files) }
      }
    }
  }

  private func note(_ error: ArchiveError, in files: inout MemFiles) throws(ArchiveError) {
    try account.add(error)
    files.errors.append(error)
  }

  /// Two entries can have the same long name: "./x" and "x", or an outer "in.tar/x".
  private func add(_ file: MemFile, named name: String, to files: inout MemFiles) throws(ArchiveError) {
    guard files[name] != nil else { return files.append(file, named: name) }
    if try options.replacesEarlier(name, &files.warningList) { files.replace(file, named: name) }
  }

  /// Throws if a requested name has no file.
  func requireNames(in files: inout MemFiles) throws(ArchiveError) {
    let found = files
    try options.check(scope.selection, in: found.entries, found.errors, &files.warningList) {
      name throws(ArchiveError) in
      if found[name] != nil || found.error(for: name) != nil { return true }
      if let entry = found.entries.last(where: { NameKey($0.name) == NameKey(name) }) {
        throw .notAFile(entry)
      }
      return false
    }
  }
}

extension ArchiveError {
  /// The error with `archive` in front of its entry's name.
  package func inside(_ archive: String?) -> ArchiveError {
    guard let archive else { return self }
    return of(entry.map { EntryName.joined(archive, $0) } ?? archive)
  }
}

extension ArchiveWarning {
  /// The warning with `archive` in front of its entry's name.
  package func inside(_ archive: String?) -> ArchiveWarning {
    guard let archive, others == 0 else { return self }
    return ArchiveWarning(code, entry: entry.map { EntryName.joined(archive, $0) } ?? archive, text)
  }
}
