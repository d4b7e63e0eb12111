internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// The worker's end of the socket. Exits when the host is gone.
///
/// Used only by the thread that reads the archive, except that all threads send what they put into the window.
final class WorkerConnection: @unchecked Sendable {
  private let channel: PacketChannel
  private let monitor = ConditionLock()
  private var records = RecordBuffer()
  private var received: [HeldDescriptor] = []
  private var writer = BinaryEncoder()
  /// The descriptors of the next packet, kept open until it is sent.
  private var outgoing: [Outgoing] = []
  private var ledger = Ledger(ExtractionLimits(heldBytes: .max))
  /// Slabs with announced files that have not been sent yet.
  private var slabs: [OpenSlab] = []
  /// Bytes of announced content and of announced entries.
  private var told = (content: Int64(0), entries: Int64(0))
  /// Packets with descriptors that the host has not acknowledged.
  private var unacknowledged: [(bytes: Int64, descriptors: Int64)] = []
  private var packetsTaken: UInt32 = 0
  /// A message that arrived while an acknowledgement was awaited.
  private var early: HostMessage.Kind?
  /// The host's files as this process's ledger accounts for them.
  private var host: (held: Int64, descriptors: Int64) = (0, 0)
  private var mostDescriptors = 1
  private var threads = 1
  private var lastFlush = SystemCalls.roughTime()

  private struct Outgoing {
    let descriptor: CInt
    let bytes: Int64
    /// Whether it counts as a file's descriptor.
    let isFile: Bool
    /// Keeps the descriptor open.
    let owner: AnyObject
  }

  private struct OpenSlab {
    let slab: Slab
    /// The value of `told` when its first file was announced.
    let since: (content: Int64, entries: Int64)
    var files = 0
  }

  /// Upper bound of packets with descriptors in flight.
  private static let window = 2
  private static let largestOnTheWay: Int64 = 64 << 20

  init(_ channel: PacketChannel) { self.channel = channel }

  // MARK: The request

  func receiveRequest() -> WorkerRequest? {
    while true {
      do throws(Malformed) {
        if var reader = try records.next() {
          if let version = WorkerRequest.version(reader), version != PlatformReport.memArchiveVersion {
            refuse(Lockdown.Failure(part: "the worker", reason: "it has another version", errno: 0))
          }
          return try WorkerRequest(&reader)
        }
      } catch {
        return nil
      }
      receive()
    }
  }

  /// The archive, by the descriptors of the request. Made once, because a socket is used by one channel.
  func archive(_ request: WorkerRequest) -> ArchiveReader {
    let files = zip(received, request.sources).map { descriptor, source in
      ArchiveReader.PassedFile(
        descriptor: FileDescriptor(rawValue: descriptor.rawValue), size: source.size,
        channel: source.isAsked ? SourceChannel(descriptor) : nil)
    }
    var archive = ArchiveReader(passed: files, name: request.name)
    archive.index = index(request).map { .passed($0) }
    return archive
  }

  /// The index of the archive, if the host has one.
  private func index(_ request: WorkerRequest) -> ArchiveReader.PassedFile? {
    guard let size = request.indexSize, received.indices.contains(request.sources.count) else { return nil }
    let descriptor = received[request.sources.count]
    return ArchiveReader.PassedFile(descriptor: FileDescriptor(rawValue: descriptor.rawValue), size: size)
  }

  /// The window for content that the host copies; nil if it copies none.
  func window(_ request: WorkerRequest) throws(ArchiveError) -> WorkerWindow? {
    guard request.panes > 0, request.sources.count < received.count else { return nil }
    // Closed at the end, because the mapping is enough.
    let owner = received.removeLast()
    defer { withExtendedLifetime(owner) {} }
    let descriptor = FileDescriptor(rawValue: owner.rawValue)
    do throws(MemoryError) {
      return WorkerWindow(try Window(descriptor, panes: Int(request.panes), isFilled: true))
    } catch {
      throw ArchiveError(error)
    }
  }

  func refuse(_ failure: Lockdown.Failure) -> Never {
    send(
      .unavailable(
        version: PlatformReport.memArchiveVersion, part: failure.part, reason: failure.reason,
        errno: failure.errno))
    flush()
    _exit(1)
  }

  func begin(_ protection: SandboxProtection) {
    send(.ready(version: PlatformReport.memArchiveVersion, protection))
    flush()
  }

  func use(_ ledger: Ledger, mostDescriptors: UInt32, threads: Int) {
    self.ledger = ledger
    self.threads = threads
    self.mostDescriptors = max(1, min(Int(mostDescriptors), PacketChannel.mostDescriptors))
    let account = ledger.snapshot
    host = (account.held, account.descriptors)
  }

  // MARK: Sending

  func send(_ entry: ArchiveEntry, _ answer: WorkerMessage.Answer) {
    send(.entry(entry, answer))
    told.entries += entry.cost
    endLongOpenSlab()
  }

  func send(_ message: WorkerMessage) {
    monitor.locked {
      message.encode(to: &writer)
      if writer.bytes.count >= PacketChannel.largest || outgoing.count >= mostDescriptors {
        sendPacket()
      } else if SystemCalls.roughTime() - lastFlush > .milliseconds(20) {
        // Messages about slow archives should not wait for a full packet.
        sendPacket()
      }
    }
  }

  /// From now on, the content that a charge was for counts for the host.
  func passOn(_ charge: consuming Charge) {
    let bytes = charge.handOver().bytes
    monitor.locked { host.held += bytes }
  }

  func send(_ warnings: some Sequence<ArchiveWarning>) {
    for warning in warnings { send(warning.others > 0 ? .moreWarnings(warning.others) : .warning(warning)) }
  }

  /// - Parameter isLast: Whether the file is the last in its slab.
  func send(_ file: MemFile, position: Int, isLast: Bool = false) {
    switch file.memory {
    case .other(let file): return send(file, position: position, isLast: isLast)
    case .own(let memory):
      outgoing.append(
        Outgoing(
          descriptor: memory.descriptor.rawValue, bytes: Int64(file.size), isFile: true, owner: file))
      send(.file(position: Int64(position), size: Int64(file.size), .own))
    case .packed(let slab, let range):
      note(slab)
      send(
        .file(
          position: Int64(position), size: Int64(range.count),
          .packed(slab: slab.number, offset: Int64(range.lowerBound))))
    }
    told.content += Int64(max(file.size, 1 << 10))
    if isLast { endFirstSlab() } else { endLongOpenSlab() }
  }

  /// Sends a piece of a content at once: what is on the way is bounded by the packets that are, and charged to nobody.
  func send(_ piece: consuming SealedMemfd, at offset: Int64) {
    let size = Int64(piece.size)
    let owner = HeldPiece(piece)
    outgoing.append(Outgoing(descriptor: owner.descriptor, bytes: 0, isFile: false, owner: owner))
    send(.piece(offset: offset, size: size))
    flush()
  }

  /// Sends an index of the archive.
  func send(index: MemFile) throws(ArchiveError) {
    let descriptor = try index.contentDescriptor.rawValue
    outgoing.append(Outgoing(descriptor: descriptor, bytes: 0, isFile: false, owner: index))
    send(.index(size: Int64(index.size)))
  }

  /// Ends a slab that another thread keeps open for long: until the host has it, it has to keep everything that follows the
  /// slab's first file.
  private func endLongOpenSlab() {
    guard let since = slabs.first?.since else { return }
    if told.content - since.content > longestWait || told.entries - since.entries > Self.mostWaiting {
      endFirstSlab()
    }
  }

  private func endFirstSlab() {
    // The thread that fills it continues in another slab, and gets the error.
    try? slabs.first?.slab.finish()
    sendCompleteSlabs()
  }

  private var longestWait: Int64 { Int64(threads + 2) * Int64(SlabWriter.capacity) }
  private static let mostWaiting: Int64 = 16 << 20

  private func note(_ slab: Slab) {
    // A thread's files come in order: its first file in a new slab follows all files in its previous one.
    let index =
      slabs.lastIndex { $0.slab === slab }
      ?? {
        sendCompleteSlabs()
        slabs.append(OpenSlab(slab: slab, since: told))
        return slabs.count - 1
      }()
    slabs[index].files += 1
  }

  /// Sends all slabs as they are, so that the host gets every announced file.
  func sendAllSlabs() {
    for open in slabs { try? open.slab.finish() }
    sendCompleteSlabs(atEnd: true)
  }

  /// Sends the sealed slabs whose files have all been announced; at the end, all sealed slabs.
  private func sendCompleteSlabs(atEnd: Bool = false) {
    slabs.removeAll { open in
      guard let (size, files) = open.slab.extentIfSealed, atEnd || open.files == files,
        let descriptor = open.slab.takeDescriptor()
      else { return false }
      outgoing.append(
        Outgoing(
          descriptor: descriptor.rawValue, bytes: open.slab.handOverCharge(), isFile: false,
          owner: descriptor))
      send(.slab(open.slab.number, size: Int64(size)))
      return true
    }
  }

  func flush() { monitor.locked { sendPacket() } }

  private func sendPacket() {
    lastFlush = SystemCalls.roughTime()
    guard !writer.bytes.isEmpty else { return }
    while !outgoing.isEmpty, unacknowledged.count >= Self.window { awaitAcknowledgement() }
    do throws(PacketChannel.SendFailure) {
      try channel.send(writer.bytes, outgoing.map(\.descriptor), waits: true) { _ in
        // Other processes of this user receive theirs in the meantime; a host that hears nothing for long ends this process.
        clinux_exit_with_peer(CInt(CLINUX_WORKER_SOCKET), 1)
      }
    } catch {
      _exit(0)
    }
    writer.removeAll()
    guard !outgoing.isEmpty else { return }
    let files = Int64(outgoing.count { $0.isFile })
    let fileBytes = outgoing.reduce(Int64(0)) { $0 + ($1.isFile ? $1.bytes : 0) }
    let bytes = outgoing.reduce(Int64(0)) { $0 + $1.bytes }
    unacknowledged.append((bytes, files))
    // Closes the files, which gives their charges back; from now on they count for the host.
    outgoing.removeAll(keepingCapacity: true)
    ledger.adjust(held: fileBytes, descriptors: files)
    host.held += bytes
    host.descriptors += files
    while bytesOnTheWay > Self.largestOnTheWay { awaitAcknowledgement() }
  }

  var bytesOnTheWay: Int64 { unacknowledged.reduce(0) { $0 + $1.bytes } }

  /// Waits until the host has taken everything that was sent.
  func awaitAll() {
    flush()
    while !unacknowledged.isEmpty { awaitAcknowledgement() }
  }

  // MARK: Receiving

  private func awaitAcknowledgement() {
    let kind = receiveMessage().kind
    guard kind != .taken else { return }
    // The host may have received everything that it wanted drained, and send a message, before it acknowledges the rest.
    guard early == nil else { _exit(1) }
    early = kind
  }

  /// The next message that is more than an acknowledgement.
  func nextMessage() -> HostMessage.Kind {
    flush()
    if let kind = early.take() { return kind }
    while true {
      let kind = receiveMessage().kind
      if kind != .taken { return kind }
    }
  }

  /// The next message, after applying its acknowledgement.
  private func receiveMessage() -> HostMessage {
    while true {
      if let message = hostMessage() {
        let count = min(Int(message.packets &- packetsTaken), unacknowledged.count)
        packetsTaken = message.packets
        unacknowledged.removeFirst(count)
        setHost(
          held: message.held + bytesOnTheWay,
          descriptors: message.descriptors + unacknowledged.reduce(0) { $0 + $1.descriptors })
        return message
      }
      receive()
    }
  }

  private func setHost(held: Int64, descriptors: Int64) {
    ledger.adjust(held: held - host.held, descriptors: descriptors - host.descriptors)
    host = (held, descriptors)
  }

  private func hostMessage() -> HostMessage? {
    do throws(Malformed) {
      guard var reader = try records.next() else { return nil }
      return try HostMessage(&reader)
    } catch {
      _exit(1)
    }
  }

  private func receive() {
    do throws(PacketChannel.Failure) {
      guard let packet = try channel.receive() else { _exit(0) }
      records.append(packet.bytes)
      received += packet.descriptors
    } catch {
      _exit(1)
    }
  }
}
