internal import SealedMemory
public import SystemPackage

extension MemFile {
  /// Sends this file, with its name, over a Unix socket to a process that takes it with ``init(receivedFrom:limits:)`` or
  /// ``receive(from:limits:)``.
  ///
  /// Nothing is copied: both sides share the same sealed memory, which is freed when neither holds it. Waits while the
  /// socket is full, even if it is set not to block.
  ///
  /// - Parameter socket: A connected Unix socket of any type; it stays the caller's.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/descriptorLimit`` (also when too many descriptors are on their
  ///   way), or ``ArchiveError/Code/system``, with EPIPE when the other side is gone (no signal is raised); otherwise as
  ///   ``fileDescriptor``.
  ///
  /// Calls sendmsg(2) with SCM_RIGHTS, unix(7).
  public func send(to socket: FileDescriptor) throws(ArchiveError) {
    try Self.send(CollectionOfOne(self), to: socket)
  }

  /// Sends several files as one batch, up to 64 in a message.
  ///
  /// - Throws: As ``send(to:)``; ``ArchiveError/Code/unsupportedFeature`` for a name of more than 64 KiB. The other side
  ///   may have received some of the files by then, and notices that the batch is incomplete.
  public static func send(
    _ files: some Sequence<MemFile>, to socket: FileDescriptor
  ) throws(ArchiveError) {
    var batch: [MemFile] = []
    var cost = 0
    for file in files {
      let more = FileMessage.cost(of: file.name)
      guard more <= FileMessage.capacity else {
        throw ArchiveError(
          .unsupportedFeature, entry: file.name, "the name is too long to be sent",
          advice: "Send the file by its descriptor (duplicate()), or under a shorter name.")
      }
      if batch.count == FileMessage.mostFiles || cost + more > FileMessage.capacity {
        try FileMessage.send(batch, isLast: false, to: socket)
        (batch, cost) = ([], 0)
      }
      batch.append(file)
      cost += more
    }
    try FileMessage.send(batch, isLast: true, to: socket)
  }

  /// Takes one file that ``send(to:)`` sent, and verifies it before anything about it is believed.
  ///
  /// Verified in this order: all four seals (by mask), a regular file, on tmpfs, of the stated size, within the limits at its
  /// logical size, so that holes cost nothing unforeseen. The file is then opened anew, so that neither the sender's file
  /// offset nor a lease that it holds (fcntl(2), F_SETLEASE) affects this process. The seals prove that the bytes are final,
  /// not that they are true.
  ///
  /// After an error the socket is in the middle of something: close it.
  ///
  /// - Parameters:
  ///   - socket: A connected Unix socket; it stays the caller's. Waits until something arrives.
  ///   - limits: `entryBytes`, `heldBytes` and `nameBytes` count.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/untrusted``, ``ArchiveError/Code/limitExceeded``,
  ///   ``ArchiveError/Code/truncated`` when the socket was closed, ``ArchiveError/Code/descriptorLimit`` when this process
  ///   has none left, or ``ArchiveError/Code/system``. No descriptor is left open then.
  ///
  /// Calls recvmsg(2), fcntl(2), fstat(2), fstatfs(2), open(2).
  public convenience init(receivedFrom socket: FileDescriptor, limits: ExtractionLimits = ExtractionLimits())
    throws(ArchiveError)
  {
    let ledger = Ledger(limits)
    guard var message = try FileMessage.receive(from: socket, nameBytes: limits.nameBytes) else {
      throw .cutOff()
    }
    guard message.claims.count == 1, message.isLast, let memfd = message.descriptors.next() else {
      throw .untrusted("what came over the socket is not one file", entry: nil)
    }
    let claim = message.claims[0]
    self.init(
      .own(try Self.verified(memfd, name: claim.name, size: claim.size, ledger)), name: claim.name,
      entry: nil)
  }

  /// Takes a batch of files that ``send(_:to:)`` sent, each verified as in ``init(receivedFrom:limits:)``.
  ///
  /// - Parameters:
  ///   - socket: A connected Unix socket; it stays the caller's. Waits until something arrives.
  ///   - limits: As there; `entries` and `totalBytes` count too, for the batch.
  /// - Returns: The files in the sender's order; nil when the other side has closed the socket.
  /// - Throws: As ``init(receivedFrom:limits:)``: all or nothing.
  public static func receive(
    from socket: FileDescriptor, limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) -> [MemFile]? {
    let ledger = Ledger(limits)
    var files: [MemFile] = []
    while true {
      guard var message = try FileMessage.receive(from: socket, nameBytes: limits.nameBytes) else {
        guard files.isEmpty else { throw .cutOff() }
        return nil
      }
      guard files.count + message.claims.count <= limits.entries else {
        throw .limit(.entries, Int64(limits.entries), entry: nil, "the number of files in a batch")
      }
      for claim in message.claims {
        guard let memfd = message.descriptors.next() else { break }
        let memory = try verified(memfd, name: claim.name, size: claim.size, ledger)
        files.append(MemFile(.own(memory), name: claim.name, entry: nil))
      }
      if message.isLast { return files }
      // Empty messages that announce more could go on forever.
      guard !message.claims.isEmpty else {
        throw .untrusted("a message without files says that more follow", entry: nil)
      }
    }
  }

  /// Makes a file from a descriptor that arrived some other way (D-Bus, systemd's file descriptor store, a protocol of your
  /// own), verified as in ``init(receivedFrom:limits:)``.
  ///
  /// - Parameters:
  ///   - name: The name of the file.
  ///   - descriptor: A memfd with all of its seals; it stays the caller's.
  ///   - limits: `entryBytes` and `heldBytes` count.
  /// - Throws: As ``init(receivedFrom:limits:)``.
  public convenience init(
    name: String, verifying descriptor: FileDescriptor, limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) {
    let memfd: Memfd
    do {
      memfd = Memfd(adopting: try SystemCalls.duplicate(descriptor, closeOnExec: true))
    } catch {
      throw .system("fcntl", error, doing: "duplicating a descriptor", entry: name)
    }
    self.init(.own(try Self.verified(memfd, name: name, size: nil, Ledger(limits))), name: name, entry: nil)
  }

  private static func verified(
    _ memfd: consuming Memfd, name: String, size: Int64?, _ ledger: Ledger
  ) throws(ArchiveError) -> ChargedMemory {
    let sealed: SealedMemfd
    do { sealed = try ReceivedDescriptor.verify(memfd, claimedSize: size) } catch {
      throw .untrusted("what was received \(error.reason)", entry: name, call: error.call, errno: error.errno)
    }
    var charge = Charge(ledger, entry: name)
    charge.addDescriptor()
    try charge.grow(to: Int64(sealed.size))
    let reopened: SealedMemfd
    do throws(Errno) { reopened = try ReceivedDescriptor.reopened(sealed) } catch {
      guard error != .tooManyOpenFiles, error != .tooManyOpenFilesInSystem else {
        throw .system("open", .tooManyOpenFiles, doing: "opening a received file", entry: name)
      }
      throw .untrusted(
        "what was received cannot be opened by its path", entry: name, call: "open", errno: error)
    }
    return ChargedMemory(reopened, charge)
  }
}
