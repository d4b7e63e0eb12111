internal import SystemPackage

/// One archive that is read by a worker: what it says, checked as far as it can be, one message after another.
///
/// Dropping it kills the worker and closes everything that it had sent and nobody took.
final class WorkerSession {
  private let process: WorkerProcess
  /// Stays open here too, so that its number is no file's: it may be that of a standard stream.
  private let source: WorkerSource
  private let ledger: Ledger
  private let cancellation: Cancellation?
  /// Whether a worker that shows no sign of life is ended; a pipe may give nothing for as long as its writer likes.
  private let watchesProgress: Bool
  private let longestSilence: Int
  /// As many files as the worker may give descriptors of their own; nil where that is not this session's to say.
  private var descriptorBudget: Int?
  private var records = RecordBuffer()
  /// Those of the last entry that had its own.
  private var details: ArchiveEntry.Shared<ArchiveEntry.Details>?
  private var descriptors: ArraySlice<HeldDescriptor> = []
  private var packetsTaken: UInt32 = 0
  private var packetsAcknowledged: UInt32 = 0
  private(set) var protection = Protection(landlock: nil, seccomp: false, diesFirst: false)

  /// Starts a worker and waits until it is locked in.
  ///
  /// - Throws: with `sandboxUnavailable` where none can be had.
  static func start(
    _ reader: ArchiveReader, task: WorkOrder.Task, options: ExtractionOptions, ledger: Ledger
  ) throws(ArchiveError) -> WorkerSession {
    let process = try startProcess(options)
    let source = try WorkerSource(reader, options: options, ledger: ledger)
    let session = WorkerSession(process, source, ledger, options)
    let order = order(reader, source, task: task, options: options, ledger: ledger)
    if options.descriptorBudget == nil { session.descriptorBudget = order.options.descriptorBudget }
    try session.send(order, source.descriptors)
    try session.awaitGreeting()
    return session
  }

  private init(
    _ process: WorkerProcess, _ source: WorkerSource, _ ledger: Ledger, _ options: ExtractionOptions
  ) {
    self.process = process
    self.source = source
    self.ledger = ledger
    cancellation = options.cancellation
    longestSilence = options.longestSilence
    watchesProgress = !source.hasPipe
  }

  private static func startProcess(_ options: ExtractionOptions) throws(ArchiveError) -> WorkerProcess {
    let candidates = WorkerLocator.candidates(options)
    for path in candidates {
      if candidates.count > 1, (try? SystemCalls.status(of: path))?.isRegular != true { continue }
      do { return try WorkerProcess(path) } catch {
        throw .sandboxUnavailable("the worker", "\(path) cannot be started (\(error))")
      }
    }
    throw .sandboxUnavailable(
      "the worker",
      "\(WorkerLocator.programName) is neither named (MEMARCHIVE_WORKER), beside this program nor installed")
  }

  private static func order(
    _ reader: ArchiveReader, _ source: WorkerSource, task: WorkOrder.Task, options: ExtractionOptions,
    ledger: Ledger
  ) -> WorkOrder {
    var order = WorkOrder()
    order.task = task
    order.sources = source.sources
    order.name = reader.fileName
    order.account = ledger.snapshot
    order.options = options
    let free = freeDescriptors()
    if options.storage == .automatic, options.descriptorBudget == nil {
      order.options.descriptorBudget = max(0, free - Store.reserve) + ledger.descriptors
    }
    // One batch has come when the next one does, and there is something else to be opened.
    order.mostDescriptors = UInt32(max(1, min(PacketChannel.mostDescriptors, free / 3)))
    order.timeZone = WorkerLocator.environment("TZ") ?? ":/etc/localtime"
    order.wantsProgress = options.onProgress != nil
    order.isBestEffort = options.sandbox == .bestEffort
    order.forbidden = options.forbiddenCall
    if let timeout = options.timeout, timeout < .seconds(1 << 30) {
      order.processorSeconds = UInt64(max(0, timeout.components.seconds) + 2) * UInt64(options.threads)
    }
    return order
  }

  /// As many descriptors as the process may still open.
  private static func freeDescriptors() -> Int {
    // A new descriptor gets the lowest number that is free.
    guard let probe = try? Memfd.create(name: "probe", executable: false) else { return 0 }
    return max(0, SystemCalls.descriptorLimit() - Int(probe.descriptor.rawValue))
  }

  private func send(_ order: WorkOrder, _ descriptors: [CInt]) throws(ArchiveError) {
    var writer = WireWriter()
    order.encode(to: &writer)
    do throws(Errno) { try process.channel.send(writer.bytes, descriptors) } catch {
      // One that has ended is asked for its end.
      guard error == .brokenPipe || error == .connectionReset else {
        throw .sandboxUnavailable("the worker", "the archive cannot be sent to it (\(error))")
      }
    }
  }

  private func awaitGreeting() throws(ArchiveError) {
    let path = process.path
    let answer: WorkerMessage
    do throws(ArchiveError) { answer = try next() } catch {
      guard error.code == .sandboxViolation || error.code == .workerFailed else { throw error }
      throw .sandboxUnavailable("the worker", "\(path) is none: \(error.reason)")
    }
    switch answer {
    case .ready(PlatformReport.version, let protection): self.protection = protection
    case .ready(let version, _),
      .unavailable(let version, _, _) where version != PlatformReport.version:
      throw .sandboxUnavailable(
        "the worker", "\(path) is version \(version), and this is \(PlatformReport.version)")
    case .unavailable(_, let part, let reason): throw .sandboxUnavailable(part, reason)
    default: throw .sandboxUnavailable("the worker", "\(path) is none")
    }
  }

  /// Sends a request or an answer. A worker that has ended is noticed when its next message is awaited.
  func send(_ message: ParentMessage) {
    var writer = WireWriter()
    message.encode(to: &writer)
    try? process.channel.send(writer.bytes)
  }

  /// The next message; waits for it. Takes packets in only when what came before was used.
  func next() throws(ArchiveError) -> WorkerMessage {
    while true {
      let message: WorkerMessage?
      do throws(Malformed) { message = try decoded() } catch {
        throw violation("sent a message that makes no sense")
      }
      switch message {
      case .refused(let call)?:
        throw violation("tried the system call \(CallName.of(call)), which extraction never makes")
      case let message?: return message
      case nil: try receive()
      }
    }
  }

  private func decoded() throws(Malformed) -> WorkerMessage? {
    guard var reader = try records.next() else { return nil }
    reader.details = details
    defer { details = reader.details }
    return try WorkerMessage.decode(&reader)
  }

  /// The descriptor that belongs to the message at hand.
  func takeMemfd() throws(ArchiveError) -> Memfd {
    guard let descriptor = descriptors.popFirst()?.take() else {
      throw violation("spoke of a file and sent none")
    }
    return Memfd(adopting: descriptor)
  }

  /// To be called after the last message: nothing may be left. The worker is ended.
  func finish() throws(ArchiveError) {
    guard descriptors.isEmpty, records.isEmpty else { throw violation("sent more than it spoke of") }
    _ = process.end()
  }

  /// Ends the worker, and says why.
  func violation(_ reason: String) -> ArchiveError {
    _ = process.end()
    descriptors = []
    return .sandboxViolation(reason)
  }

  private func receive() throws(ArchiveError) {
    guard descriptors.count <= PacketChannel.mostDescriptors else {
      throw violation("sent files and did not speak of them")
    }
    if packetsTaken != packetsAcknowledged {
      packetsAcknowledged = packetsTaken
      let account = ledger.snapshot
      send(
        .taken(packets: packetsTaken, held: account.held, descriptors: spentDescriptors(account.descriptors)))
    }
    try awaitPacket()
    do throws(PacketChannel.Failure) {
      guard let packet = try process.channel.receive() else { throw .ended }
      switch packet.number {
      case PacketChannel.alive: return
      case PacketChannel.last:
        records = RecordBuffer()
        records.append(packet.bytes)
      default:
        if !packet.descriptors.isEmpty { packetsTaken &+= 1 }
        descriptors += packet.descriptors
        records.append(packet.bytes)
      }
    } catch {
      throw self.error(error)
    }
  }

  /// All of the budget, where the process has come by so many others meanwhile that what is on its way may not find room:
  /// what is extracted from then on shares descriptors.
  private func spentDescriptors(_ count: Int64) -> Int64 {
    guard let descriptorBudget, count < Int64(descriptorBudget) else { return count }
    let room = Store.reserve + 3 * PacketChannel.mostDescriptors
    return Self.freeDescriptors() < room ? Int64(descriptorBudget) : count
  }

  private func error(_ failure: PacketChannel.Failure) -> ArchiveError {
    switch failure {
    case .ended:
      descriptors = []
      return .workerFailed("\(process.endAfterSilence())")
    case .violation(let reason): return violation(reason)
    case .system(let error): return .system("recvmsg", error, doing: "receiving from the sandboxed worker")
    case .descriptorsLost(isTableFull: false):
      return violation("sent more descriptors than a packet has")
    case .descriptorsLost(isTableFull: true):
      _ = process.end()
      return .system("recvmsg", .tooManyOpenFiles, doing: "receiving files from the sandboxed worker")
    }
  }

  /// Waits until a packet is there, or the worker has ended; in pieces, so that whoever can cancel is heard. A process that
  /// was stopped meanwhile counts one piece at most.
  private func awaitPacket() throws(ArchiveError) {
    let socket = FileDescriptor(rawValue: process.channel.socket.rawValue)
    let piece = min(cancellation == nil ? 1000 : 100, longestSilence)
    var silence = 0
    while !watchesProgress || silence < longestSilence {
      try cancellation?.check()
      do throws(Errno) {
        if try SystemCalls.waitForInput(socket, milliseconds: CInt(piece)) { return }
      } catch {
        throw .system("poll", error, doing: "waiting for the sandboxed worker")
      }
      silence += piece
    }
    _ = process.end()
    throw .timedOut("the sandboxed worker has done nothing for \(Double(longestSilence) / 1000) seconds")
  }
}
