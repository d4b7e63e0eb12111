internal import Libc
internal import SealedMemory
internal import SystemPackage

/// The host's end of the socket to a worker that reads one archive: its messages in order, checked as far as possible.
///
/// Releasing it kills the worker and closes all descriptors that were received and not taken.
final class HostConnection {
  private let process: WorkerProcess
  /// Kept open so that no file gets one of its descriptor numbers, which may be a standard stream's.
  private let source: WorkerSource
  private let ledger: Ledger
  private let cancellation: Cancellation
  private let longestSilence: Int
  /// Upper bound of files with descriptors of their own; nil if the caller set it.
  private var descriptorBudget: Int?
  private let limits: ExtractionLimits
  private var records: RecordBuffer
  /// The details received last, which later entries may share.
  private var details: ArchiveEntry.Shared<ArchiveEntry.Details>?
  /// nil if the content is kept as it comes.
  let window: HostWindow?
  private var descriptors: ArraySlice<HeldDescriptor> = []
  private var packetsTaken: UInt32 = 0
  private var packetsAcknowledged: UInt32 = 0
  /// Whether the program has said that it is a worker and locked in.
  private var isGreeted = false
  private(set) var protection = SandboxProtection(landlock: nil, seccomp: false, diesFirst: false)

  /// Starts a worker and waits until it is locked in.
  ///
  /// - Parameter loadsLibArchive: Whether the archive is known to need libarchive.
  /// - Throws: `sandboxUnavailable` if no worker can be started.
  static func start(
    _ archive: ArchiveReader, in context: ExtractionContext, _ prefetch: Prefetch, copiesContent: Bool,
    loadsLibArchive: Bool
  ) throws(ArchiveError) -> HostConnection {
    let program = try WorkerLocator.program(context.options)
    var source: WorkerSource?
    func attempt(isFirst: Bool) throws(ArchiveError) -> HostConnection {
      let template = try Self.template(of: program, in: context)
      do throws(ArchiveError) {
        let process = try startProcess(from: template, in: context)
        if source == nil { source = try WorkerSource(archive, in: context) }
        return try start(
          process, archive, source!, in: context, prefetch, copiesContent: copiesContent,
          loadsLibArchive: loadsLibArchive)
      } catch {
        context.options.pool.remove(template)
        // Nothing of the archive has been read.
        if isFirst, template.wasKilled {
          // The socket of a caller's source belongs to the worker that is gone.
          if source?.server != nil { source = nil }
          return try attempt(isFirst: false)
        }
        throw error
      }
    }
    return try attempt(isFirst: true)
  }

  private static func start(
    _ process: WorkerProcess, _ archive: ArchiveReader, _ source: WorkerSource,
    in context: ExtractionContext, _ prefetch: Prefetch, copiesContent: Bool, loadsLibArchive: Bool
  ) throws(ArchiveError) -> HostConnection {
    let window = copiesContent ? try HostWindow.create(threads: context.threads) : nil
    let connection = HostConnection(process, source, window?.0, context)
    var request = request(archive, source, in: context)
    request.prefetch = prefetch
    request.loadsLibArchive = loadsLibArchive
    request.panes = UInt32(window?.0.panes ?? 0)
    if context.options.descriptorBudget == nil {
      connection.descriptorBudget = request.options.descriptorBudget
    }
    var writer = BinaryEncoder()
    request.encode(to: &writer)
    let index = if let index = source.index { [try index.contentDescriptor.rawValue] } else { [CInt]() }
    try connection.send(writer, source.descriptors + index + (window.map { [$0.1.rawValue] } ?? []))
    try connection.awaitGreeting()
    return connection
  }

  private init(
    _ process: WorkerProcess, _ source: WorkerSource, _ window: HostWindow?, _ context: ExtractionContext
  ) {
    self.process = process
    self.source = source
    self.window = window
    ledger = context.ledger
    limits = context.options.limits
    records = RecordBuffer(limits)
    cancellation = context.cancellation
    longestSilence = context.hooks.longestSilence
  }

  private static func template(
    of program: WorkerLocator.Program, in context: ExtractionContext
  ) throws(ArchiveError) -> WorkerTemplate {
    do throws(Errno) { return try context.options.pool.template(of: program) } catch {
      throw cannotStart(program, error)
    }
  }

  private static func startProcess(
    from template: WorkerTemplate, in context: ExtractionContext
  ) throws(ArchiveError) -> WorkerProcess {
    do throws(PacketChannel.SendFailure) {
      var waited = 0
      return try WorkerProcess(from: template) { error throws(ArchiveError) in
        guard waited < context.hooks.longestSilence else {
          throw .system("sendmsg", error, doing: "asking for a sandboxed worker")
        }
        waited += 10
        try context.cancellation.check()
        template.awaitRoom(milliseconds: 10)
      }
    } catch {
      switch error {
      case .gaveUp(let error): throw error
      case .system(.brokenPipe), .system(.connectionReset): throw ended(template)
      case .system(let error): throw cannotStart(template.program, error)
      }
    }
  }

  private static func cannotStart(_ program: WorkerLocator.Program, _ error: Errno) -> ArchiveError {
    .exhausted("clone", error, doing: "starting a sandboxed worker")
      ?? .sandboxUnavailable("the worker", "\(program.name) cannot be started (\(error))")
  }

  /// The error for a template that ended before its worker was locked in.
  private static func ended(_ template: WorkerTemplate) -> ArchiveError {
    switch template.endByItself() {
    // 127: the loader found no library, or no memory for one.
    case .exit(let status) where status != 127: notAWorker(template.program, "it ended with status \(status)")
    case let end: .workerFailed("\(end)")
    }
  }

  private static func request(
    _ archive: ArchiveReader, _ source: WorkerSource, in context: ExtractionContext
  ) -> WorkerRequest {
    let (options, ledger) = (context.options, context.ledger)
    var request = WorkerRequest()
    request.sources = source.sources
    request.indexSize = source.index.map { Int64($0.size) }
    request.name = archive.fileName
    request.account = ledger.snapshot
    request.options = options
    request.hooks = context.hooks
    let free = freeDescriptors()
    if options.storage == .automatic, options.descriptorBudget == nil {
      request.options.descriptorBudget =
        max(0, free - MemFileFactory.reserve) / max(1, options.pool.running) + ledger.descriptors
    }
    // Two packets may be in flight, and other descriptors have to be opened too.
    request.mostDescriptors = UInt32(max(1, min(PacketChannel.mostDescriptors, free / 3)))
    request.timeZone = Environment.value("TZ") ?? WorkerRequest.usualTimeZone
    request.wantsProgress = options.onProgress != nil
    request.isBestEffort = options.sandbox == .bestEffort
    request.processorSeconds = processorSeconds(context, source)
    return request
  }

  /// Seconds of processor time: the timeout, or without one far more than decoding takes, as a bound on a worker that was
  /// taken over. The slowest decoder produces several MB a second, and 1 MiB of an archive rarely expands to more than 1,000.
  private static func processorSeconds(_ context: ExtractionContext, _ source: WorkerSource) -> UInt64 {
    if let left = context.cancellation.remaining, left < .seconds(1 << 30) {
      return UInt64(max(0, left.components.seconds) + 2) * UInt64(context.threads)
    }
    return source.packedSize.map { 600 + UInt64($0 >> 20) * 60 } ?? 100_000
  }

  /// The number of descriptors that the process may still open.
  private static func freeDescriptors() -> Int {
    // A new descriptor gets the lowest free number.
    guard let probe = try? Memfd.create(name: "probe", executable: false) else { return 0 }
    return max(0, SystemCalls.descriptorLimit() - Int(probe.descriptor.rawValue))
  }

  /// Ignores that the worker has ended: waiting for its next message finds out how.
  private func send(_ writer: BinaryEncoder, _ descriptors: [CInt] = []) throws(ArchiveError) {
    do throws(PacketChannel.SendFailure) {
      var waited = 0
      try process.channel.send(writer.bytes, descriptors, waits: false) { error throws(ArchiveError) in
        guard error == .tooManyReferences else { return try self.awaitRoom() }
        // Other processes of this user receive theirs in the meantime.
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
        process.end()
        throw .system("sendmsg", error, doing: "sending to the sandboxed worker")
      }
    }
  }

  private func awaitGreeting() throws(ArchiveError) {
    let answer = try next { false }
    switch answer {
    case .ready(PlatformReport.memArchiveVersion, let protection):
      self.protection = protection
      isGreeted = true
    case .ready(let version, _),
      .unavailable(let version, _, _, _) where version != PlatformReport.memArchiveVersion:
      throw .sandboxUnavailable(
        "the worker", "\(process.name) is version \(version), and this is \(PlatformReport.memArchiveVersion)"
      )
    case .unavailable(_, let part, let reason, let errno):
      throw .exhausted(part, Errno(rawValue: errno), doing: "locking a sandboxed worker in")
        ?? .sandboxUnavailable(part, reason)
    default:
      process.end()
      throw Self.notAWorker(process.template.program, "it sent an unexpected message")
    }
  }

  /// The error for a program that was started as a worker and is not one.
  private static func notAWorker(_ program: WorkerLocator.Program, _ reason: String) -> ArchiveError {
    .sandboxUnavailable("the worker", "\(program.name) is not a worker: \(reason)")
  }

  /// Sends a message that also acknowledges the packets taken so far.
  func send(_ kind: HostMessage.Kind) throws(ArchiveError) {
    packetsAcknowledged = packetsTaken
    let account = ledger.snapshot
    var writer = BinaryEncoder()
    HostMessage(
      kind, packets: packetsTaken, held: account.held, descriptors: spentDescriptors(account.descriptors)
    ).encode(to: &writer)
    try send(writer)
  }

  /// Whether the caller's source cannot be read any more.
  var hasSourceFailed: Bool { source.server?.failure != nil }

  /// Throws if the worker has asked the caller's source for what is no part of it.
  private func checkRequests() throws(ArchiveError) {
    if let reason = source.server?.violation { throw violation(reason) }
  }

  /// Waits for the next message. Receives a packet only when all earlier messages have been used.
  ///
  /// - Parameter work: Called instead of waiting, again and again, until it returns false.
  func next(orElse work: () -> Bool) throws(ArchiveError) -> WorkerMessage {
    while true {
      let message: WorkerMessage?
      do throws(Malformed) { message = try decoded() } catch {
        throw violation("sent a message that makes no sense")
      }
      switch message {
      case .refused(let call)?:
        throw refusedCall(call)
      case .failed(let error, let position)? where error.code == .sourceFailed:
        // The worker was told no more than that.
        return .failed(source.server?.failure?.of(error.entry) ?? error, position: position)
      case let message?: return message
      case nil: try receive(orElse: work)
      }
    }
  }

  private func decoded() throws(Malformed) -> WorkerMessage? {
    guard var reader = try records.next() else { return nil }
    reader.details = details
    defer { details = reader.details }
    return try WorkerMessage.decode(&reader)
  }

  /// The descriptor that belongs to the current message.
  func takeMemfd() throws(ArchiveError) -> Memfd {
    guard let descriptor = descriptors.popFirst()?.take() else {
      throw violation("announced a file and sent none")
    }
    return Memfd(adopting: descriptor)
  }

  /// Ends the worker; to be called after the last message, when nothing may be left.
  func finish() throws(ArchiveError) {
    guard descriptors.isEmpty, records.isEmpty else { throw violation("sent more than it announced") }
    process.finish()
  }

  /// Ends the worker, and returns the error that says why.
  func violation(_ reason: String) -> ArchiveError {
    process.end()
    descriptors = []
    guard isGreeted else { return Self.notAWorker(process.template.program, "it \(reason)") }
    return .sandboxViolation(reason)
  }

  /// Ends the worker, which made a system call that its filter refuses.
  private func refusedCall(_ call: UInt32) -> ArchiveError {
    process.end()
    descriptors = []
    return .refusedCall(WorkerMessage.callName(call))
  }

  private func receive(orElse work: () -> Bool) throws(ArchiveError) {
    guard descriptors.count <= PacketChannel.mostDescriptors else {
      throw violation("sent files without announcing them")
    }
    if packetsTaken != packetsAcknowledged { try send(.taken) }
    while !hasPacket, work() {}
    try awaitPacket()
    // What it said before says whether it is a worker at all.
    if isGreeted { try checkRequests() }
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

  /// The whole budget, if the process has since opened so many other descriptors that those in flight may not find room:
  /// files extracted from then on are packed.
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
      // A worker that makes a forbidden call while its signals are blocked cannot report it.
      case .signal(SIGSYS): return .refusedCall(nil)
      case .signal(SIGXCPU):
        return .timedOut("the sandboxed worker has used up its processor time (RLIMIT_CPU)")
      case .notStarted(let errno): return Self.cannotStart(process.template.program, Errno(rawValue: errno))
      case .exit(let status) where !isGreeted:
        return Self.notAWorker(process.template.program, "it ended with status \(status)")
      case .unknown where !isGreeted: return Self.ended(process.template)
      case let end: return .workerFailed("\(end)")
      }
    case .violation(let reason): return violation(reason)
    case .system(let error): return .system("recvmsg", error, doing: "receiving from the sandboxed worker")
    case .descriptorsLost:
      process.end()
      return .system("recvmsg", .tooManyOpenFiles, doing: "receiving files from the sandboxed worker")
    }
  }

  private var hasPacket: Bool {
    let socket = FileDescriptor(rawValue: process.channel.socket.rawValue)
    return (try? SystemCalls.waitForInput(socket, milliseconds: 0)) ?? true
  }

  private func awaitPacket() throws(ArchiveError) {
    try wait(for: POLLIN) {
      .timedOut("the sandboxed worker has shown no sign of life for \(Double(longestSilence) / 1000) seconds")
    }
  }

  /// A worker reads its socket between any two blocks: one that does not has been taken over.
  private func awaitRoom() throws(ArchiveError) {
    try wait(for: POLLOUT) { violation("did not read what was sent to it") }
  }

  /// Waits for the worker, or its end, in short intervals so that cancellation takes effect. If this process was stopped
  /// in the meantime, that counts as at most one interval.
  private func wait(for events: CInt, orElse refusal: () -> ArchiveError) throws(ArchiveError) {
    let socket = FileDescriptor(rawValue: process.channel.socket.rawValue)
    let piece = min(100, longestSilence)
    var silence = 0
    while silence < longestSilence {
      try cancellation.check()
      do throws(Errno) {
        if try SystemCalls.wait(for: events, on: socket, milliseconds: CInt(piece)) { return }
        // An archive in a pipe may pause for as long as its writer likes.
        let givesNothing = try source.givesNothing
        if events == POLLOUT || !givesNothing { silence += piece }
      } catch {
        throw .system("poll", error, doing: "waiting for the sandboxed worker")
      }
      try checkRequests()
    }
    let error = refusal()
    process.end()
    throw error
  }
}
