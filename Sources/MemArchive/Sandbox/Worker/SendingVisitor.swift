/// Tells the parent what its own visitor is to hear.
struct SendingVisitor: EntryVisitor {
  private enum Decider {
    case ask
    /// By the entry alone.
    case entry((ArchiveEntry) -> Bool)
    /// Decides as the parent's does; the files that it is given are all one.
    case collected(FileCollector, placeholder: MemFile)
  }

  private let desk: WorkerDesk
  private var decider: Decider
  private(set) var failedPosition: Int?

  init(_ desk: WorkerDesk, _ rule: VisitRule, _ options: ExtractionOptions) {
    self.desk = desk
    decider = .ask
    switch rule {
    case .ask: break
    case .safeContents:
      decider = .entry { $0.hasContent && EntryName.isSafeRelative(EntryName.raw($0.name)) }
    case .contents(let include, let exclude):
      let (include, exclude) = (include.map { Glob($0) }, exclude.map { Glob($0) })
      decider = .entry { $0.hasContent && Glob.admits($0, include: include, exclude: exclude) }
    case .collected(let chosen, let duplicates):
      var options = options
      options.duplicates = duplicates
      let selection: Selection =
        switch chosen {
        case .all: .all
        case .names(let names): .names(names)
        case .globs(let globs): Selection(rule: .globs(globs.map { Glob($0) }))
        }
      if let placeholder = try? MemFile(name: "content", bytes: []) {
        decider = .collected(
          FileCollector(selection, options: options, ledger: nil), placeholder: placeholder)
      }
    }
  }

  mutating func wants(_ entry: ArchiveEntry) throws(ArchiveError) -> Bool {
    switch decider {
    case .ask:
      desk.send(entry, .asks)
      return desk.nextRequest() == .answer(true)
    case .entry(let wants):
      let isWanted = wants(entry)
      desk.send(entry, isWanted ? .yes : .no)
      return isWanted
    case .collected(var collector, let placeholder):
      defer { decider = .collected(collector, placeholder: placeholder) }
      // Held once, so that nothing is copied.
      decider = .ask
      do throws(ArchiveError) {
        let isWanted = try collector.wants(entry)
        desk.send(entry, isWanted ? .yes : .no)
        return isWanted
      } catch {
        desk.send(entry, .threw)
        throw error
      }
    }
  }

  mutating func add(_ file: MemFile?, for entry: ArchiveEntry, position: Int) {
    if case .collected(var collector, let placeholder) = decider {
      decider = .ask
      collector.add(placeholder, for: entry, position: position)
      decider = .collected(collector, placeholder: placeholder)
    }
    if let file { desk.send(file, position: position) }
  }

  mutating func note(_ error: ArchiveError) { desk.send(.note(error)) }

  mutating func end(warnings: [ArchiveWarning], failedPosition: Int?) {
    self.failedPosition = failedPosition
    desk.send(warnings)
  }
}
