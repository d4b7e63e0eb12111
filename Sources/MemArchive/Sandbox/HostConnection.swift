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
  var descriptorBudget: Int?
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

  init(
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

  /// Ignores that the worker has ended: waiting for its next message finds out how.
  func send(_ writer: BinaryEncoder, _ descriptors: [CInt] = []) throws(ArchiveError) {
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

  func awaitGreeting() throws(ArchiveError) {
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
