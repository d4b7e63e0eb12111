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
    try extract(selection, in: ExtractionContext(options))
  }

  package func extract(
    _ selection: Selection = .all, in context: ExtractionContext
  ) throws(ArchiveError) -> MemFiles {
    var collector = FileCollector(selection, in: context)
    collector.setProtection(try visitFollowingLinks(&collector, in: context))
    return try collector.finish(context.ledger)
  }
}

extension ArchiveError {
  /// Whether the archive is to blame, and another entry of it may still be intact.
  var concernsArchive: Bool {
    [
      .corrupt, .truncated, .unsupportedFeature, .unsupportedFormat, .passphraseRequired, .wrongPassphrase,
      .duplicateEntry, .insecureName, .nameConflict, .nameTooLong,
    ].contains(code)
  }
}
