extension ArchiveReader {
  /// Reads all entries, and extracts those that the visitor wants.
  ///
  /// - Returns: The protection in effect, if a worker read the archive.
  @discardableResult package func visit(
    _ visitor: inout some EntryVisitor, in context: ExtractionContext
  ) throws(ArchiveError) -> SandboxProtection? {
    let entries = try entries(in: context, visitor.prefetch, to: visitor.destinations)
    var failure = VisitFailure(context.options)
    func deliver(_ entry: ArchiveEntry, _ position: Int, _ outcome: Result<MemFile?, ArchiveError>) {
      failure.take(outcome, of: entry, at: position, &visitor)
    }
    var position = -1
    var isAtEnd = false
    while !isAtEnd {
      do throws(ArchiveError) {
        if let entry = try entries.next() {
          position += 1
          visitor.locate(entries.place)
          if try visitor.wants(entry) { try entries.submit(entry, deliver) }
        } else {
          try entries.drain(deliver)
          isAtEnd = true
        }
      } catch {
        // An earlier entry's error comes first.
        var drainingFailed: ArchiveError?
        do throws(ArchiveError) { try entries.drain(deliver) } catch { drainingFailed = error }
        failure.take(error, at: position, &visitor)
        if let drainingFailed { failure.take(drainingFailed, at: position, &visitor) }
      }
      if let (error, position) = failure.first {
        visitor.end(warnings: entries.warnings.all, failedPosition: position)
        throw error
      }
    }
    visitor.end(warnings: entries.warnings.all, failedPosition: nil)
    if let index = entries.index { visitor.take(index: index) }
    try entries.finish()
    return entries.protection
  }

  /// The entries, read by a worker, or by this process if no sandbox is wanted or available.
  ///
  /// - Parameters:
  ///   - prefetch: Entries that a worker extracts before they are requested.
  ///   - makeDestination: Creates each thread's destination for content; nil: files in memory.
  func entries(
    in context: ExtractionContext, _ prefetch: Prefetch, to makeDestination: MakePartedDestination? = nil
  ) throws(ArchiveError) -> any EntrySource {
    let prefetch = context.extent(of: prefetch)
    var context = context
    if context.options.sandbox != .off {
      do throws(ArchiveError) {
        return try RemoteEntries(self, in: context, prefetch, to: makeDestination)
      } catch {
        guard error.code == .sandboxUnavailable, context.options.sandbox == .bestEffort else { throw error }
        context = context.withoutSandbox(error.reason)
      }
    }
    return try LocalEntries(self, in: context, prefetch, to: makeDestination)
  }
}

/// Decides which entries ``ArchiveReader/visit(_:in:)`` extracts, and receives them.
package protocol EntryVisitor {
  /// Entries that a worker extracts before `wants` is called.
  var prefetch: Prefetch { get }
  /// Notes where the next entry is, for a reading that begins there; nil where that has to begin with the first.
  mutating func locate(_ place: Int64?)
  /// Notes an entry; whether its content is to be extracted and then given to `add`.
  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool
  /// Takes the content of a wanted entry, whose position among all entries is `position`; nil if a destination of the
  /// visitor's own has it.
  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int)
  /// Notes an entry's error; reading continues unless this throws.
  mutating func note(_ error: ArchiveError) throws(ArchiveError)
  /// Called when reading is over, at the end or at an entry's error; later entries may have been noted by then.
  mutating func end(warnings: [ArchiveWarning], failedPosition: Int?)
  /// Takes what tells where the archive's compression can be begun from, at the end.
  mutating func take(index: MemFile)
  /// Creates each thread's destination for content; nil: files in memory.
  var destinations: MakePartedDestination? { get }
}

extension EntryVisitor {
  package var prefetch: Prefetch { .onDemand }
  package var destinations: MakePartedDestination? { nil }
  package func locate(_: Int64?) {}
  package func take(index _: MemFile) {}
}

/// The error that ends a visit: the first fatal one in the archive's order.
private struct VisitFailure {
  private let options: ExtractionOptions
  /// The error and its entry's position.
  private(set) var first: (error: ArchiveError, position: Int)?

  init(_ options: ExtractionOptions) { self.options = options }

  /// Passes an entry's outcome to the visitor, unless the visit has failed.
  mutating func take(
    _ outcome: Result<MemFile?, ArchiveError>, of entry: ArchiveEntry, at position: Int,
    _ visitor: inout some EntryVisitor
  ) {
    guard first == nil else { return }
    switch outcome {
    case .success(let file): visitor.add(file, for: entry, position: position)
    case .failure(let error): take(error, at: position, &visitor)
    }
  }

  /// Passes an error to the visitor, unless the visit has failed, or fails with this error.
  mutating func take(_ error: ArchiveError, at position: Int, _ visitor: inout some EntryVisitor) {
    guard first == nil else { return }
    guard options.continues(after: error) else { return first = (error, position) }
    do throws(ArchiveError) { try visitor.note(error) } catch { first = (error, position) }
  }
}
