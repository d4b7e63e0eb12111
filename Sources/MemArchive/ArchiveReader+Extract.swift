extension ArchiveReader {
  /// Extracts the selected entries, each into its own sealed file in memory.
  ///
  /// All or nothing: when it throws, no file, descriptor or memory is left. Every checksum of the archive and of the
  /// compression around it has been verified when it returns.
  ///
  /// - Parameters:
  ///   - selection: Which entries; all of them by default.
  ///   - options: Limits, passphrases, what to do with duplicates, how memory is filled.
  /// - Returns: The files by name; a descriptor each, which closes with the file's last reference.
  /// - Throws: ``ArchiveError``, with the codes of ``stream(options:)`` and ``ArchiveStream/extract()``;
  ///   ``ArchiveError/Code/noSuchEntry`` when a name was selected that the archive does not hold, and
  ///   ``ArchiveError/Code/duplicateEntry``.
  public func extract(
    _ selection: Selection = .all, options: ExtractionOptions = ExtractionOptions()
  ) throws(ArchiveError) -> MemFiles {
    try extract(selection, options: options, ledger: Ledger(options.limits))
  }

  func extract(
    _ selection: Selection, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) -> MemFiles {
    var stream = try stream(options: options, ledger: ledger)
    var collector = FileCollector(selection, options: options)
    while true {
      do throws(ArchiveError) {
        guard let entry = try stream.next() else { break }
        if try collector.wants(entry) { collector.add(try stream.extract(), for: entry) }
      } catch {
        guard options.onError == .keepGoing, error.concernsArchive else { throw error }
        collector.note(error)
      }
    }
    try stream.finish()
    try readAgain(for: &collector, options: options, ledger: ledger)
    return try collector.finish(warnings: stream.warnings)
  }

  /// A selected link may lead to an entry that was not selected and has gone by: a file is read a second time for it.
  private func readAgain(
    for collector: inout FileCollector, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) {
    let missing = collector.missing()
    guard !missing.isEmpty, pipe?.isTaken != true else { return }
    ledger.uncount(collector.entryCount)
    var stream = try stream(options: options, ledger: ledger)
    var position = 0
    while true {
      do throws(ArchiveError) {
        guard let entry = try stream.next() else { return try stream.finish() }
        defer { position += 1 }
        if missing.contains(position) { try collector.fill(stream.extract(), for: entry, position: position) }
      } catch {
        // What is damaged was noted when it was met first.
        guard options.onError == .keepGoing, error.concernsArchive else { throw error }
      }
    }
  }
}

extension ArchiveError {
  /// Whether the archive is to blame, and another entry of it may still be intact.
  var concernsArchive: Bool {
    [
      .corrupt, .truncated, .unsupportedFeature, .unsupportedFormat, .passphraseRequired, .wrongPassphrase,
      .duplicateEntry, .insecureName,
    ].contains(code)
  }
}
