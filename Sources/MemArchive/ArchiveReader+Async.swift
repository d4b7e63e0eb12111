extension ArchiveReader {
  /// Extracts the selected entries on a thread of its own; otherwise as the synchronous form.
  ///
  /// - Throws: ``ArchiveError``; with ``ArchiveError/Code/cancelled`` when the task is cancelled, which takes effect at
  ///   the next block and leaves nothing behind.
  public func extract(
    _ selection: Selection = .all, options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> MemFiles {
    try await Extraction(self, selection, options).cancellable { extraction async throws(ArchiveError) in
      try await extraction.extract()
    }
  }

  /// Extracts the selected entries, those of archives inside the archive too, on a thread of its own; otherwise as the
  /// synchronous form.
  public func extract(
    _ selection: Selection = .all, nested: NestedArchives, options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> MemFiles {
    try await Extraction(self, selection, options).cancellable { extraction async throws(ArchiveError) in
      try await extraction.extract(nested: nested)
    }
  }

  /// The entries, read on a thread of its own; otherwise as the synchronous form.
  public func entries(
    options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> [ArchiveEntry] {
    try await Extraction(self, .all, options).cancellable { extraction async throws(ArchiveError) in
      try await extraction.entries()
    }
  }

  /// The selected files, each as soon as it is finished. Links have no file of their own here, and duplicates come as
  /// often as they occur.
  ///
  /// Reading goes on only when the next file is asked for, on a thread of its own, so no more is in memory than is held.
  /// Cancelling the task ends the sequence with ``ArchiveError/Code/cancelled``. As with ``stream(options:)``, checksums
  /// around the archive are known only when the sequence has ended without an error.
  public func files(
    _ selection: Selection = .all, options: ExtractionOptions = ExtractionOptions()
  ) -> ExtractedFiles {
    ExtractedFiles(reader: self, selection: selection, options: options)
  }
}

/// The files of an archive as they are finished; see ``ArchiveReader/files(_:options:)``.
public struct ExtractedFiles: AsyncSequence, Sendable {
  let reader: ArchiveReader
  let selection: Selection
  let options: ExtractionOptions

  /// Begins to read from the first entry.
  public func makeAsyncIterator() -> Iterator { Iterator(sequence: self) }

  /// Takes one file after another.
  public struct Iterator: AsyncIteratorProtocol {
    let sequence: ExtractedFiles
    private var extraction: Extraction?

    init(sequence: ExtractedFiles) { self.sequence = sequence }

    /// The next file, or `nil` at the end.
    public mutating func next() async throws -> MemFile? { try await next(isolation: nil) }

    /// The next file, or `nil` at the end.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(ArchiveError) -> MemFile? {
      let extraction: Extraction
      if let running = self.extraction {
        extraction = running
      } else {
        extraction = try Extraction(sequence.reader, sequence.selection, sequence.options)
        self.extraction = extraction
      }
      return try await extraction.cancellable { extraction async throws(ArchiveError) in
        try await extraction.nextFile()
      }
    }
  }
}
