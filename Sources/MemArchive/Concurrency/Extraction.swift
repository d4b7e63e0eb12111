/// One extraction on a thread of its own, for the async forms; it stops at the next block when its task is cancelled.
actor Extraction {
  private let executor: ThreadExecutor
  private let reader: ArchiveReader
  private let selection: Selection
  private let context: ExtractionContext
  private var stream: ArchiveStream?
  private var isFinished = false

  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  init(_ reader: ArchiveReader, _ selection: Selection, _ options: ExtractionOptions) throws(ArchiveError) {
    executor = try ThreadExecutor.start()
    self.reader = reader
    self.selection = selection
    context = ExtractionContext(options)
  }

  deinit { executor.stop() }

  func extract() throws(ArchiveError) -> MemFiles { try reader.extract(selection, in: context) }

  func extract(nested: NestedArchives) throws(ArchiveError) -> MemFiles {
    try reader.extract(selection, nested: nested, in: context)
  }

  func tree(nested: NestedArchives) throws(ArchiveError) -> MemTree {
    try reader.tree(selection, nested: nested, in: context)
  }

  func entries() throws(ArchiveError) -> [ArchiveEntry] { try reader.entries(in: context) }

  /// The next selected file, or nil at the end and after an error.
  func nextFile() throws(ArchiveError) -> MemFile? {
    guard !isFinished else { return nil }
    do throws(ArchiveError) {
      if stream == nil { stream = try reader.stream(in: context) }
      while let entry = try stream?.next() {
        if entry.hasContent, selection.includes(entry) { return try stream?.extract() }
      }
    } catch {
      end()
      throw error
    }
    end()
    return nil
  }

  private func end() {
    isFinished = true
    // Descriptors are given back now, whoever still holds the sequence.
    stream = nil
  }

  /// Calls `body`, and has it stop when the task is cancelled meanwhile.
  nonisolated func cancellable<Result: Sendable>(
    _ body: @Sendable (Extraction) async throws(ArchiveError) -> Result
  ) async throws(ArchiveError) -> Result {
    let result: Swift.Result<Result, ArchiveError> = await withTaskCancellationHandler {
      do throws(ArchiveError) { return .success(try await body(self)) } catch { return .failure(error) }
    } onCancel: {
      context.cancellation.cancel()
    }
    return try result.get()
  }
}
