/// What ends a visit: the first error after which it does not go on, in the archive's order.
struct VisitFailure {
  private let options: ExtractionOptions
  /// With its entry's position.
  private(set) var first: (error: ArchiveError, position: Int)?

  init(_ options: ExtractionOptions) { self.options = options }

  /// Tells a visitor what came of an entry, unless the visit has failed.
  mutating func take(
    _ outcome: EntryCrew.Outcome, of job: EntryCrew.Job, _ visitor: inout some EntryVisitor
  ) {
    guard first == nil else { return }
    switch outcome {
    case .success(let file): visitor.add(file, for: job.entry, position: job.position)
    case .failure(let error): take(error, at: job.position, &visitor)
    }
  }

  /// Tells a visitor what is wrong with an entry, unless the visit has failed, or fails with that.
  mutating func take(_ error: ArchiveError, at position: Int, _ visitor: inout some EntryVisitor) {
    guard first == nil else { return }
    guard options.goesOn(after: error) else { return first = (error, position) }
    do throws(ArchiveError) { try visitor.note(error) } catch { first = (error, position) }
  }
}
