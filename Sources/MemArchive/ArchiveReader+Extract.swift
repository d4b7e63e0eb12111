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
    let options = options.started
    var collector = FileCollector(selection, options: options, ledger: ledger)
    let protection = try visit(&collector, options: options, ledger: ledger)
    collector.setProtection(protection)
    try readAgain(for: &collector, options: options, ledger: ledger)
    return try collector.finish(ledger)
  }

  /// Goes through all entries, and extracts those that the visitor wants, on several threads where the format allows.
  /// - Returns: What held meanwhile, where a worker did it.
  @discardableResult package func visit(
    _ visitor: inout some EntryVisitor, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) -> Protection? {
    var options = options.started
    var visit = try options.sandboxed { options throws(ArchiveError) in
      try SandboxedVisit(self, visitor.rule, visitor.destinations, options: options, ledger: ledger)
    }
    if var running = visit.take() {
      try running.run(&visitor)
      return running.protection
    }
    var stream = try stream(options: options, ledger: ledger)
    let makeDestination: MakeDestination = visitor.destinations ?? { Store($0, ledger: $1) }
    let own = makeDestination(options, ledger)
    let crew = stream.crew(own, makeDestination)
    defer { crew?.stop() }
    var failure = VisitFailure(options)
    func deliver(_ job: EntryCrew.Job, _ outcome: EntryCrew.Outcome) {
      failure.take(outcome, of: job, &visitor)
    }
    var position = -1
    var isAtEnd = false
    while !isAtEnd {
      do throws(ArchiveError) {
        if let entry = try stream.next() {
          position += 1
          if try visitor.wants(entry) {
            // A crew delivers later what it takes.
            let isTaken =
              if let crew { try stream.extract(with: crew, position: position, deliver) } else { false }
            if !isTaken {
              visitor.add(try stream.extract(to: own, position: position), for: entry, position: position)
            }
          }
        } else {
          isAtEnd = true
          crew?.drain(deliver)
        }
      } catch {
        // What is wrong with an earlier entry comes first.
        crew?.drain(deliver)
        failure.take(error, at: position, &visitor)
      }
      if let (error, position) = failure.first {
        visitor.end(warnings: stream.warnings, failedPosition: position)
        throw error
      }
    }
    visitor.end(warnings: stream.warnings, failedPosition: nil)
    if let crew { try crew.finish() } else { try own.finish() }
    return nil
  }

  /// A selected link may lead to an entry that was not selected and has gone by: a file is read a second time for it.
  private func readAgain(
    for collector: inout FileCollector, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) {
    let missing = try collector.missing(ledger)
    guard !missing.isEmpty, pipe?.isTaken != true else { return }
    ledger.uncount(collector.entryCount)
    var stream = try stream(options: options, ledger: ledger)
    var position = 0
    while true {
      do throws(ArchiveError) {
        guard let entry = try stream.next() else { return try stream.finish() }
        defer { position += 1 }
        guard missing.contains(position) else { continue }
        do throws(ArchiveError) {
          try collector.fill(stream.extract(), for: entry, position: position)
        } catch {
          guard options.goesOn(after: error) else { throw error }
          try collector.noteMissing(error, at: position)
        }
      } catch {
        // What is damaged besides was noted when it was met first.
        guard options.goesOn(after: error) else { throw error }
      }
    }
  }
}

/// Who goes through an archive with ``ArchiveReader/visit(_:options:ledger:)``.
package protocol EntryVisitor {
  /// What `wants` answers, where that can be told beforehand.
  var rule: VisitRule { get }
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
  package var destinations: MakeDestination? { nil }
}

package typealias MakeDestination = @Sendable (ExtractionOptions, Ledger) -> any EntryDestination

/// Where one thread puts the content of entries, one at a time.
package protocol EntryDestination: AnyObject {
  /// Puts the content somewhere: calls `content` with what takes its blocks, each at its offset, and finishes at the size
  /// that this returns. When anything throws, nothing of the entry is left.
  ///
  /// - Parameter reserved: What the ledger was charged with for it before.
  func take(
    _ entry: ArchiveEntry, position: Int, reserved: Reservation?,
    _ content: (Blocks) throws(ArchiveError) -> Int64
  ) throws(ArchiveError) -> MemFile?
  /// Called once, when more than a few entries have come, and before most of them.
  func prepareForMany()
  /// Counts the descriptor that an entry is going to have, if it is.
  func reserveDescriptor(_ charge: inout Charge)
  /// Everything taken so far is finished.
  func finish() throws(ArchiveError)
}

/// Takes a block of content at its offset; it lives during the call.
package typealias Blocks = (RawSpan, Int64) throws(ArchiveError) -> Void

extension ExtractionOptions {
  /// Whether what is intact is still wanted.
  func goesOn(after error: ArchiveError) -> Bool {
    onError == .keepGoing && error.concernsArchive
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
