internal import Glibc

/// What a locked worker does: the stages that run in process otherwise, with the parent at their end.
struct WorkerService {
  private let desk: WorkerDesk
  private let order: WorkOrder
  private let options: ExtractionOptions
  private let ledger: Ledger
  private let reader: ArchiveReader

  /// What waits in here for a slow entry in front of it has a descriptor each, whatever the parent may have: where there are
  /// several threads, the process has 4096 at least.
  private static let filesAtOnce = 3072

  init(_ desk: WorkerDesk, _ order: WorkOrder, _ cancellation: Cancellation) {
    self.desk = desk
    self.order = order
    reader = ArchiveReader(passed: desk.files(order), name: order.name)
    ledger = Ledger(order.account)
    desk.use(ledger, mostDescriptors: order.mostDescriptors, threads: order.options.threads)
    var options = order.options
    options.keepsSlabDescriptors = true
    options.filesAtOnce = Self.filesAtOnce
    options.cancellation = cancellation
    if order.wantsProgress {
      options.onProgress = { progress in
        desk.send(.progress(progress))
        desk.flush()
      }
    }
    self.options = options
    Pause.set { desk.flush() }
  }

  func run() {
    switch order.task {
    case .visit(let rule): visit(rule)
    case .stream(let demand): stream(demand)
    }
    desk.flush()
    // The parent ends this process when it has seen the end.
    while true { _ = desk.nextRequest() }
  }

  private func visit(_ rule: VisitRule) {
    var visitor = SendingVisitor(desk, rule, options)
    do throws(ArchiveError) {
      try reader.visit(&visitor, options: options, ledger: ledger)
      desk.sendCompleteSlabs(atEnd: true)
      desk.send(.end(failedPosition: nil, nil))
    } catch {
      desk.send(.end(failedPosition: visitor.failedPosition.map { Int64($0) }, error))
    }
  }

  private func stream(_ demand: StreamDemand) {
    var stream: ArchiveStream
    do throws(ArchiveError) { stream = try reader.stream(options: options, ledger: ledger) } catch {
      return desk.send(.failed(error, isContent: false))
    }
    var pull = Pull(desk: desk)
    pull.tellWarnings(stream)
    desk.send(.opened(comment: stream.comment))
    switch demand {
    case .ask:
      while true {
        switch desk.nextRequest() {
        case .next: _ = pull.tellNext(&stream)
        case .extract: pull.tellContent(&stream)
        default: _exit(1)
        }
      }
    case .headers: while pull.tellNext(&stream) != .end {}
    case .contents:
      while true {
        switch pull.tellNext(&stream) {
        case .end: return
        case .entry(let entry) where entry.hasContent:
          // In step with the parent where much would be held at once.
          let room = min(32 << 20, ledger.snapshot.heldLimit / 4)
          if desk.bytesOnTheWay > 0, (entry.size ?? .max) > room - min(room, desk.bytesOnTheWay) {
            desk.awaitAll()
          }
          pull.tellContent(&stream)
        default: continue
        }
      }
    }
  }

  /// A stream whose parent takes one entry after another.
  private struct Pull {
    enum Step: Equatable {
      case entry(ArchiveEntry)
      case failed, end
    }

    let desk: WorkerDesk
    /// The warnings that were told, and that were only counted.
    private var told = (kept: 0, others: 0)
    private var position = -1

    init(desk: WorkerDesk) { self.desk = desk }

    mutating func tellWarnings(_ stream: borrowing ArchiveStream) {
      let list = stream.warningList
      desk.send(list.kept[told.kept...])
      if list.others > told.others { desk.send(.moreWarnings(list.others - told.others)) }
      told = (list.kept.count, list.others)
    }

    mutating func tellNext(_ stream: inout ArchiveStream) -> Step {
      do throws(ArchiveError) {
        let entry = try stream.next()
        tellWarnings(stream)
        guard let entry else {
          desk.send(.end(failedPosition: nil, nil))
          return .end
        }
        position += 1
        desk.send(.entry(entry, .no))
        return .entry(entry)
      } catch {
        tellWarnings(stream)
        desk.send(.failed(error, isContent: false))
        return .failed
      }
    }

    mutating func tellContent(_ stream: inout ArchiveStream) {
      do throws(ArchiveError) {
        let file = try stream.extract()
        try stream.finish()
        tellWarnings(stream)
        desk.send(file, position: position, isLast: true)
      } catch {
        tellWarnings(stream)
        desk.send(.failed(error, isContent: true))
      }
    }
  }
}
