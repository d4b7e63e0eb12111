internal import CLinux
internal import Glibc
internal import SystemPackage

/// What a worker sends and receives. Where the parent has gone there is nobody to work for: the process ends.
///
/// Used by the thread that reads the archive alone.
final class WorkerDesk: @unchecked Sendable {
  private let channel: PacketChannel
  private var records = RecordBuffer()
  private var received: [HeldDescriptor] = []
  private var writer = WireWriter()
  /// What goes with the next packet, kept open until it is sent.
  private var outgoing: [Outgoing] = []
  private var ledger = Ledger(Limits(heldBytes: .max))
  /// Slabs that files lie in and that were not sent yet.
  private var slabs: [OpenSlab] = []
  /// The content that was spoken of, and what its entries take, in bytes.
  private var told = (content: Int64(0), entries: Int64(0))
  /// Packets with descriptors that the parent has not acknowledged.
  private var unacknowledged: [(bytes: Int64, descriptors: Int64)] = []
  private var packetsTaken: UInt32 = 0
  /// What the ledger has been told of the parent's files.
  private var parent: (held: Int64, descriptors: Int64) = (0, 0)
  private var mostDescriptors = 1
  private var threads = 1
  private var lastFlush = SystemCalls.roughTime()

  private struct Outgoing {
    let descriptor: CInt
    let bytes: Int64
    /// Whether it counts as the descriptor of a file.
    let isFile: Bool
    /// Keeps it open.
    let owner: AnyObject
  }

  private struct OpenSlab {
    let slab: Slab
    /// What had been spoken of when the first file in it was.
    let since: (content: Int64, entries: Int64)
    var files = 0
  }

  /// As many packets with descriptors may be on their way.
  private static let window = 2
  private static let largestOnTheWay: Int64 = 64 << 20

  init(_ channel: PacketChannel) { self.channel = channel }

  // MARK: The order

  func receiveOrder() -> WorkOrder? {
    while true {
      do throws(Malformed) {
        if var reader = try records.next() {
          if let version = WorkOrder.version(reader), version != PlatformReport.version {
            refuse(Lockdown.Failure(part: "the worker", reason: "it is another version", errno: 0))
          }
          return try WorkOrder(&reader)
        }
      } catch {
        return nil
      }
      receive()
    }
  }

  /// The descriptors of the archive, as sources.
  func files(_ order: WorkOrder) -> [ArchiveReader.PassedFile] {
    zip(received, order.sources).map { descriptor, source in
      let size: Int64? = if case .file(let size) = source { size } else { nil }
      return ArchiveReader.PassedFile(descriptor: FileDescriptor(rawValue: descriptor.rawValue), size: size)
    }
  }

  /// The archive's first descriptor. The order was read.
  var archive: CInt? { received.first?.rawValue }

  func refuse(_ failure: Lockdown.Failure) -> Never {
    send(
      .unavailable(
        version: PlatformReport.version, part: failure.part, reason: failure.reason, errno: failure.errno))
    flush()
    _exit(1)
  }

  func begin(_ protection: Protection) {
    send(.ready(version: PlatformReport.version, protection))
    flush()
  }

  func use(_ ledger: Ledger, mostDescriptors: UInt32, threads: Int) {
    self.ledger = ledger
    self.threads = threads
    self.mostDescriptors = max(1, min(Int(mostDescriptors), PacketChannel.mostDescriptors))
    let account = ledger.snapshot
    parent = (account.held, account.descriptors)
  }

  // MARK: Sending

  func send(_ entry: ArchiveEntry, _ answer: WorkerMessage.Answer) {
    send(.entry(entry, answer))
    told.entries += entry.cost
    endLongOpenSlab()
  }

  func send(_ message: WorkerMessage) {
    message.encode(to: &writer)
    if writer.bytes.count >= PacketChannel.largest || outgoing.count >= mostDescriptors {
      flush()
    } else if SystemCalls.roughTime() - lastFlush > .milliseconds(20) {
      // Slow archives are heard of too.
      flush()
    }
  }

  func send(_ warnings: some Sequence<ArchiveWarning>) {
    for warning in warnings { send(warning.others > 0 ? .moreWarnings(warning.others) : .warning(warning)) }
  }

  /// - Parameter isLast: Whether nothing else lies in the slab that it lies in.
  func send(_ file: MemFile, position: Int, isLast: Bool = false) {
    switch file.memory {
    case .own(let memory):
      outgoing.append(
        Outgoing(
          descriptor: memory.memfd.descriptor.rawValue, bytes: Int64(file.size), isFile: true, owner: file))
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

  /// The parent keeps all that comes after a file until it has the file's slab, which another thread may leave open.
  private func endLongOpenSlab() {
    guard let since = slabs.first?.since else { return }
    if told.content - since.content > longestWait || told.entries - since.entries > Self.mostWaiting {
      endFirstSlab()
    }
  }

  private func endFirstSlab() {
    // Whoever fills it goes on in another one, and hears of a failure.
    try? slabs.first?.slab.finish()
    sendCompleteSlabs()
  }

  private var longestWait: Int64 { Int64(threads + 2) * Int64(SlabWriter.capacity) }
  private static let mostWaiting: Int64 = 16 << 20

  private func note(_ slab: Slab) {
    // A thread's files come in order: the first in a new slab is behind all in the one before.
    let index =
      slabs.lastIndex { $0.slab === slab }
      ?? {
        sendCompleteSlabs()
        slabs.append(OpenSlab(slab: slab, since: told))
        return slabs.count - 1
      }()
    slabs[index].files += 1
  }

  /// Sends the slabs that have ended and whose files were all spoken of, or at the end all.
  func sendCompleteSlabs(atEnd: Bool = false) {
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

  func flush() {
    lastFlush = SystemCalls.roughTime()
    guard !writer.bytes.isEmpty else { return }
    while !outgoing.isEmpty, unacknowledged.count >= Self.window { awaitAcknowledgement() }
    do throws(PacketChannel.SendFailure) {
      try channel.send(writer.bytes, outgoing.map(\.descriptor), waits: true) { _ in
        // Others of this user take theirs meanwhile; a parent that hears nothing for long ends this process.
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
    // Closes the files, which gives their charges back; now they stand to the parent's account.
    outgoing.removeAll(keepingCapacity: true)
    ledger.adjust(held: fileBytes, descriptors: files)
    parent.held += bytes
    parent.descriptors += files
    while bytesOnTheWay > Self.largestOnTheWay { awaitAcknowledgement() }
  }

  var bytesOnTheWay: Int64 { unacknowledged.reduce(0) { $0 + $1.bytes } }

  /// Waits until the parent has taken everything that was sent.
  func awaitAll() {
    flush()
    while !unacknowledged.isEmpty { awaitAcknowledgement() }
  }

  // MARK: Receiving

  private func awaitAcknowledgement() {
    while true {
      if let message = parentMessage() {
        guard note(message) else { _exit(1) }
        return
      }
      receive()
    }
  }

  /// The next message that is no acknowledgement.
  func nextRequest() -> ParentMessage {
    flush()
    while true {
      if let message = parentMessage() {
        if note(message) { continue }
        if case .extract(let held, let descriptors) = message {
          // It has taken all that was sent, whether it said so or not.
          for index in unacknowledged.indices { unacknowledged[index] = (0, 0) }
          setParent(held: held, descriptors: descriptors)
        }
        return message
      }
      receive()
    }
  }

  private func note(_ message: ParentMessage) -> Bool {
    guard case .taken(let packets, let held, let descriptors) = message else { return false }
    let count = min(Int(packets &- packetsTaken), unacknowledged.count)
    packetsTaken = packets
    unacknowledged.removeFirst(count)
    setParent(
      held: held + bytesOnTheWay,
      descriptors: descriptors + unacknowledged.reduce(0) { $0 + $1.descriptors })
    return true
  }

  private func setParent(held: Int64, descriptors: Int64) {
    ledger.adjust(held: held - parent.held, descriptors: descriptors - parent.descriptors)
    parent = (held, descriptors)
  }

  private func parentMessage() -> ParentMessage? {
    do throws(Malformed) {
      guard var reader = try records.next() else { return nil }
      return try ParentMessage(&reader)
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
