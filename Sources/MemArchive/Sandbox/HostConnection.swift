internal import Glibc
internal import SealedMemory
internal import SystemPackage

/// One archive that is read by a worker: what it says, checked as far as it can be, one message after another.
///
/// Dropping it kills the worker and closes everything that it had sent and nobody took.
final class HostConnection {
  private let process: WorkerProcess
  /// Stays open here too, so that its number is no file's: it may be that of a standard stream.
  private let source: WorkerSource
  private let ledger: Ledger
  private let cancellation: Cancellation
  private let longestSilence: Int
  /// As many files as the worker may give descriptors of their own; nil where the caller has set it.
  private var descriptorBudget: Int?
  private let limits: Limits
  private var records: RecordBuffer
  /// Those of the last entry that had its own.
  private var details: ArchiveEntry.Shared<ArchiveEntry.Details>?
  private var descriptors: ArraySlice<HeldDescriptor> = []
  private var packetsTaken: UInt32 = 0
  private var packetsAcknowledged: UInt32 = 0
  /// Whether it has said that it is a worker, and locked in.
  private var isGreeted = false
  private(set) var protection = Protection(landlock: nil, seccomp: false, diesFirst: false)

  /// Starts a worker and waits until it is locked in.
  ///
  /// - Throws: with `sandboxUnavailable` where none can be had.
  static func start(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch, copiesContent: Bool
  ) throws(ArchiveError) -> HostConnection {
    let process = try startProcess(context.options)
    let source = try WorkerSource(archive, in: context)
    let connection = HostConnection(process, source, context)
    var request = request(archive, source, in: context)
    request.prefetch = prefetch
    request.copiesContent = copiesContent
    if context.options.descriptorBudget == nil {
      connection.descriptorBudget = request.options.descriptorBudget
    }
    var writer = BinaryEncoder()
    request.encode(to: &writer)
    try connection.send(writer, source.descriptors)
    try connection.awaitGreeting()
    return connection
  }

  private init(_ process: WorkerProcess, _ source: WorkerSource, _ context: ExtractionContext) {
    self.process = process
    self.source = source
    ledger = context.ledger
    limits = context.options.limits
    records = RecordBuffer(limits)
    cancellation = context.cancellation
    longestSilence = context.hooks.longestSilence
  }

  private static func startProcess(_ options: ExtractionOptions) throws(ArchiveError) -> WorkerProcess {
    let program = try WorkerLocator.program(options)
    do { return try WorkerProcess(program) } catch {
      if let exhausted = ArchiveError.exhausted("clone", error, doing: "starting a sandboxed worker") {
        throw exhausted
      }
      throw .sandboxUnavailable("the worker", "\(program.name) cannot be started (\(error))")
    }
  }

  private static func request(
    _ archive: ArchiveReader, _ source: WorkerSource, in context: ExtractionContext
  ) -> WorkerRequest {
    let (options, ledger) = (context.options, context.ledger)
    var request = WorkerRequest()
    request.sources = source.sources
    request.name = archive.fileName
    request.account = ledger.snapshot
    request.options = options
    request.hooks = context.hooks
    let free = freeDescriptors()
    if options.storage == .automatic, options.descriptorBudget == nil {
      request.options.descriptorBudget = max(0, free - MemFileFactory.reserve) + ledger.descriptors
    }
    // One batch has come when the next one does, and there is something else to be opened.
    request.mostDescriptors = UInt32(max(1, min(PacketChannel.mostDescriptors, free / 3)))
    request.timeZone = WorkerLocator.environment("TZ") ?? ":/etc/localtime"
    request.wantsProgress = options.onProgress != nil
    request.isBestEffort = options.sandbox == .bestEffort
    request.processorSeconds = processorSeconds(context, source)
    return request
  }

  /// Seconds of processor time: as many as the timeout has; without one far more than decoding takes, as a bound on
  /// what was taken over. The slowest decoder makes some MB a second, and of what comes a MiB seldom holds more than 1,000.
  private static func processorSeconds(_ context: ExtractionContext, _ source: WorkerSource) -> UInt64 {
    if let left = context.cancellation.remaining, left < .seconds(1 << 30) {
      return UInt64(max(0, left.components.seconds) + 2) * UInt64(context.threads)
    }
    return source.packedSize.map { 600 + UInt64($0 >> 20) * 60 } ?? 100_000
  }

  /// As many descriptors as the process may still open.
  private static func freeDescriptors() -> Int {
    // A new descriptor gets the lowest number that is free.
    guard let probe = try? Memfd.create(name: "probe", executable: false) else { return 0 }
    return max(0, SystemCalls.descriptorLimit() - Int(probe.descriptor.rawValue))
  }

  /// One that has ended is noticed when its next message is awaited, and asked for its end.
  private func send(_ writer: BinaryEncoder, _ descriptors: [CInt] = []) throws(ArchiveError) {
    do throws(PacketChannel.SendFailure) {
      var waited = 0
      try process.channel.send(writer.bytes, descriptors, waits: false) { error throws(ArchiveError) in
        guard error == .tooManyReferences else { return try self.awaitRoom() }
        // Others of this user take theirs meanwhile.
        guard waited < self.longestSilence else {
          throw .system("sendmsg", error, doing: "sending to the sandboxed worker")
        }
        waited += 10
        try self.cancellation.check()
        let socket = FileDescriptor(rawValue: self.process.channel.socket.rawValue)
        _ = try? SystemCalls.wait(for: 0, on: socket, milliseconds: 10)
      }
    } catch {
      switch error {
      case .gaveUp(let error): throw error
      case .system(.brokenPipe), .system(.connectionReset): return
      case .system(let error):
        _ = process.end()
        throw .system("sendmsg", error, doing: "sending to the sandboxed worker")
      }
    }
  }

  private func awaitGreeting() throws(ArchiveError) {
    let answer = try next()
    switch answer {
    case .ready(PlatformReport.version, let protection):
      self.protection = protection
      isGreeted = true
    case .ready(let version, _),
      .unavailable(let version, _, _, _) where version != PlatformReport.version:
      throw .sandboxUnavailable(
        "the worker", "\(process.name) is version \(version), and this is \(PlatformReport.version)")
    case .unavailable(_, let part, let reason, let errno):
      throw .exhausted(part, Errno(rawValue: errno), doing: "locking a sandboxed worker in")
        ?? .sandboxUnavailable(part, reason)
    default: throw isNone("it sent a message that has no place here")
    }
  }

  /// A program that was started as worker and is none.
  private func isNone(_ reason: String) -> ArchiveError {
    _ = process.end()
    return .sandboxUnavailable("the worker", "\(process.name) is none: \(reason)")
  }

  /// Says whether the content that the worker asked about is wanted.
  func answer(_ isWanted: Bool) throws(ArchiveError) { try send(isWanted ? .wanted : .unwanted) }

  /// Sends a message, with what was taken by now.
  func send(_ kind: HostMessage.Kind) throws(ArchiveError) {
    packetsAcknowledged = packetsTaken
    let account = ledger.snapshot
    var writer = BinaryEncoder()
    HostMessage(
      kind, packets: packetsTaken, held: account.held, descriptors: spentDescriptors(account.descriptors)
    ).encode(to: &writer)
    try send(writer)
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
        throw refusedCall(call)
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
    guard isGreeted else { return isNone("it \(reason)") }
    _ = process.end()
    descriptors = []
    return .sandboxViolation(reason)
  }

  /// Ends the worker, which made a call that its filter refuses; nil where it could not say which.
  private func refusedCall(_ call: UInt32?) -> ArchiveError {
    _ = process.end()
    descriptors = []
    return .refusedCall(call.map { CallName.of($0) })
  }

  private func receive() throws(ArchiveError) {
    guard descriptors.count <= PacketChannel.mostDescriptors else {
      throw violation("sent files and did not speak of them")
    }
    if packetsTaken != packetsAcknowledged { try send(.taken) }
    try awaitPacket()
    do throws(PacketChannel.Failure) {
      guard let packet = try process.channel.receive() else { throw .ended }
      switch packet.number {
      case PacketChannel.alive: return
      case PacketChannel.last:
        records = RecordBuffer(limits)
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
    let room = MemFileFactory.reserve + 3 * PacketChannel.mostDescriptors
    return Self.freeDescriptors() < room ? Int64(descriptorBudget) : count
  }

  private func error(_ failure: PacketChannel.Failure) -> ArchiveError {
    switch failure {
    case .ended:
      descriptors = []
      switch process.endAfterSilence() {
      // One that was refused a call with its signals blocked cannot say so.
      case .signal(SIGSYS): return .refusedCall(nil)
      case .signal(SIGXCPU):
        return .timedOut("the sandboxed worker has used all processor time that it may (RLIMIT_CPU)")
      // The loader's status where it finds no library, or no memory for one.
      case .exit(let status) where !isGreeted && status != 127:
        return isNone("it ended with status \(status)")
      case let end: return .workerFailed("\(end)")
      }
    case .violation(let reason): return violation(reason)
    case .system(let error): return .system("recvmsg", error, doing: "receiving from the sandboxed worker")
    case .descriptorsLost(isTableFull: false):
      return violation("sent more descriptors than a packet has")
    case .descriptorsLost(isTableFull: true):
      _ = process.end()
      return .system("recvmsg", .tooManyOpenFiles, doing: "receiving files from the sandboxed worker")
    }
  }

  private func awaitPacket() throws(ArchiveError) {
    try wait(for: POLLIN) {
      .timedOut("the sandboxed worker has done nothing for \(Double(longestSilence) / 1000) seconds")
    }
  }

  /// A worker reads all the time, but for what it does between two blocks: one that does not was taken over.
  private func awaitRoom() throws(ArchiveError) {
    try wait(for: POLLOUT) { violation("did not read what was sent to it") }
  }

  /// Waits for the worker, or its end; in pieces, so that whoever can cancel is heard. A process that was stopped meanwhile
  /// counts one piece at most.
  private func wait(for events: CInt, orElse refusal: () -> ArchiveError) throws(ArchiveError) {
    let socket = FileDescriptor(rawValue: process.channel.socket.rawValue)
    let piece = min(100, longestSilence)
    var silence = 0
    while silence < longestSilence {
      try cancellation.check()
      do throws(Errno) {
        if try SystemCalls.wait(for: events, on: socket, milliseconds: CInt(piece)) { return }
        // A pipe may give nothing for as long as its writer likes.
        let givesNothing = try source.givesNothing
        if events == POLLOUT || !givesNothing { silence += piece }
      } catch {
        throw .system("poll", error, doing: "waiting for the sandboxed worker")
      }
    }
    let error = refusal()
    _ = process.end()
    throw error
  }
}
