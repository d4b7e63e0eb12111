extension ArchiveReader {
  /// Extracts the selected entries on a thread of its own; otherwise like the synchronous form.
  ///
  /// In the top-level code of main.swift, `try await reader.extract()` is the synchronous form, as the compiler's warning about
  /// `await` tells; in an async function it is this one.
  ///
  /// - Throws: ``ArchiveError``; with ``ArchiveError/Code/cancelled`` when the task is cancelled, which takes effect at
  ///   the next block and leaves nothing behind.
  public func extract(
    _ selection: EntrySelection = .all, options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> MemFiles {
    try await options.pool.run({ ExtractionContext(options) }) { context throws(ArchiveError) in
      try context.observing(.extract, of: self) { context throws(ArchiveError) in
        try extract(selection, nested: options.nestedArchives, in: context)
      }
    }
  }

  /// The selected entries, read on a thread of its own; otherwise like the synchronous form.
  public func entries(
    _ selection: EntrySelection = .all, options: ExtractionOptions = ExtractionOptions()
  ) async throws(ArchiveError) -> [ArchiveEntry] {
    try await options.pool.run({ ExtractionContext(options) }) { context throws(ArchiveError) in
      try context.observing(.entries, of: self) { context throws(ArchiveError) in
        try entries(selection, in: context)
      }
    }
  }

  /// The selected files, each as soon as it is finished. Links have no file of their own here, and duplicates are
  /// returned as often as they occur.
  ///
  /// Reading continues only when the next file is requested, on a thread of its own, so memory holds no more than the
  /// caller keeps. Cancelling the task ends the sequence with ``ArchiveError/Code/cancelled``. As with ``stream(options:)``,
  /// the checksums around the archive have been verified only once the sequence has ended without an error.
  public func files(
    _ selection: EntrySelection = .all, options: ExtractionOptions = ExtractionOptions()
  ) -> ExtractedFiles {
    ExtractedFiles(reader: self, selection: selection, options: options)
  }
}

/// The files of an archive, each as soon as it is finished; see ``ArchiveReader/files(_:options:)``.
public struct ExtractedFiles: AsyncSequence, Sendable {
  let reader: ArchiveReader
  let selection: EntrySelection
  let options: ExtractionOptions

  /// An iterator that reads from the first entry.
  public func makeAsyncIterator() -> Iterator { Iterator(sequence: self) }

  /// Returns one file after another.
  public struct Iterator: AsyncIteratorProtocol {
    let sequence: ExtractedFiles
    private var files: FileStream?

    init(sequence: ExtractedFiles) { self.sequence = sequence }

    /// The next file, or `nil` at the end.
    public mutating func next() async throws -> MemFile? { try await next(isolation: nil) }

    /// The next file, or `nil` at the end.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(ArchiveError) -> MemFile? {
      let files = self.files ?? FileStream(sequence)
      self.files = files
      return try await sequence.options.pool.run({ files.context }) { _ throws(ArchiveError) in
        try files.next()
      }
    }
  }
}

/// The selected files of one stream. Used by one thread at a time: an iterator's calls follow each other.
private final class FileStream: @unchecked Sendable {
  let context: ExtractionContext
  private let sequence: ExtractedFiles
  private var stream: NestedStream?
  private var observation: Observation?
  private var isFinished = false
  /// Whether an entry was selected.
  private var isMatched = false

  init(_ sequence: ExtractedFiles) {
    self.sequence = sequence
    context = ExtractionContext(sequence.options)
    observation = Observation(.files, of: sequence.reader, in: context)
  }

  /// The next selected file, or nil at the end and after an error.
  func next() throws(ArchiveError) -> MemFile? {
    guard !isFinished else { return nil }
    do throws(ArchiveError) {
      if let file = try observation.watch({ () throws(ArchiveError) in try read() }) { return file }
    } catch {
      end()
      throw error
    }
    end()
    return nil
  }

  private func read() throws(ArchiveError) -> MemFile? {
    if stream == nil {
      stream = try NestedStream(
        sequence.reader, sequence.selection, nested: context.options.nestedArchives, in: context)
    }
    while let stream, let entry = try stream.next() {
      guard sequence.selection.matches(entry) else { continue }
      isMatched = true
      if entry.hasContent { return try stream.extract(entry) }
    }
    if !isMatched, sequence.options.unmatchedSelection == .reject {
      if let name = sequence.selection.requiredNames.first { throw ArchiveError.noSuchEntry(name) }
      if let error = sequence.selection.noMatch { throw error }
    }
    return nil
  }

  private func end() {
    isFinished = true
    // Closes the descriptors now, even if the sequence is still held.
    stream = nil
    observation = nil
  }
}

extension ExtractionContext {
  /// Runs `body` on a thread of its own: it may block for long, which the threads shared by all tasks of a process must
  /// not. Cancelling the task ends the extraction at its next block.
  func onOwnThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws(ArchiveError) -> Result
  ) async throws(ArchiveError) -> Result {
    let result: Swift.Result<Result, ArchiveError> = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        do throws(ArchiveError) {
          try JoinableThread.start {
            continuation.resume(
              returning: Swift.Result { () throws(ArchiveError) in try body() })
          }.detach()
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    } onCancel: {
      cancellation.cancel()
    }
    return try result.get()
  }
}
