extension ArchiveReader {
  /// Goes through all entries, and extracts those that the visitor wants.
  ///
  /// - Returns: What held meanwhile, where a worker did it.
  @discardableResult package func visit(
    _ visitor: inout some EntryVisitor, in context: ExtractionContext
  ) throws(ArchiveError) -> Protection? {
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
          if try visitor.wants(entry) { try entries.submit(entry, deliver) }
        } else {
          try entries.drain(deliver)
          isAtEnd = true
        }
      } catch {
        // What is wrong with an earlier entry comes first.
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
    try entries.finish()
    return entries.protection
  }

  /// The entries as a worker reads them, or as this process does where no sandbox is wanted or none can be had.
  ///
  /// - Parameters:
  ///   - prefetch: What a worker extracts before it is asked.
  ///   - makeDestination: Makes what each thread puts content to; nil: files in memory.
  func entries(
    in context: ExtractionContext, _ prefetch: Prefetch, to makeDestination: MakeDestination? = nil
  ) throws(ArchiveError) -> any EntrySource {
    var context = context
    if context.options.sandbox != .off {
      do throws(ArchiveError) {
        return try RemoteEntries(self, in: context, prefetch, to: makeDestination)
      } catch {
        guard error.code == .sandboxUnavailable, context.options.sandbox == .bestEffort else { throw error }
        context = context.withoutSandbox(error.reason)
      }
    }
    return try LocalEntries(self, in: context, inStep: prefetch.inStep, to: makeDestination)
  }
}

/// Who goes through an archive with ``ArchiveReader/visit(_:in:)``, and decides what of it is wanted.
package protocol EntryVisitor {
  /// What a worker extracts before `wants` has said so.
  var prefetch: Prefetch { get }
  /// Notes an entry; whether its content is to be extracted and then given to `add`.
  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool
  /// Takes the content of an entry that was wanted, which stands at `position` among all; nil where a destination of the
  /// visitor's own has it.
  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int)
  /// Notes what is wrong with an entry; the reading goes on, unless that throws.
  mutating func note(_ error: ArchiveError) throws(ArchiveError)
  /// The reading is over: at the end, or at an error in an entry; later ones may have been noted by then.
  mutating func end(warnings: [ArchiveWarning], failedPosition: Int?)
  /// Makes what each thread puts content to; nil: files in memory.
  var destinations: MakeDestination? { get }
}

extension EntryVisitor {
  package var prefetch: Prefetch { .onDemand }
  package var destinations: MakeDestination? { nil }
}

/// What ends a visit: the first error after which it does not go on, in the archive's order.
private struct VisitFailure {
  private let options: ExtractionOptions
  /// With its entry's position.
  private(set) var first: (error: ArchiveError, position: Int)?

  init(_ options: ExtractionOptions) { self.options = options }

  /// Tells a visitor what came of an entry, unless the visit has failed.
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

  /// Tells a visitor what is wrong with an entry, unless the visit has failed, or fails with that.
  mutating func take(_ error: ArchiveError, at position: Int, _ visitor: inout some EntryVisitor) {
    guard first == nil else { return }
    guard options.goesOn(after: error) else { return first = (error, position) }
    do throws(ArchiveError) { try visitor.note(error) } catch { first = (error, position) }
  }
}
