/// The contents that a worker delivers through a window: each is copied once, to where it is to be stored.
///
/// What fits into a pane comes whole, and threads store it. What does not comes part by part, each after the one before it,
/// while other contents come in between, and is stored by this thread: the next part is decoded meanwhile.
struct WindowContents {
  private struct Parted {
    /// nil for what is refused, or has failed.
    var content: (any PartedContent)?
    var failure: ArchiveError?
    /// The end of the part that came last.
    var end: Int64 = 0
  }

  private let connection: HostConnection
  private let context: ExtractionContext
  /// This thread's destination, and the threads for what comes whole; nil if the host keeps content as it comes.
  private let destination: (any PartedDestination)?
  private let threadPool: EntryThreadPool?
  private var parted: [Int64: Parted] = [:]
  /// Makes files of contents that come before it is known whether they are wanted, which is rare. They are copied once more
  /// if they are, and charged then; until then they have a ledger of their own.
  private let unsettled: MemFileFactory

  init(
    _ connection: HostConnection, _ context: ExtractionContext, _ destination: (any PartedDestination)?,
    _ threadPool: EntryThreadPool?
  ) {
    (self.connection, self.context) = (connection, context)
    (self.destination, self.threadPool) = (destination, threadPool)
    unsettled = MemFileFactory(
      ExtractionOptions { $0.storage = .dedicated },
      ledger: Ledger(ExtractionLimits(heldBytes: context.ledger.heldLimit)))
  }

  /// Takes a whole content.
  ///
  /// - Parameter isWanted: nil while that is not settled.
  func take(
    _ bytes: WindowBytes, of entry: ArchiveEntry, _ position: Int64, isWanted: Bool?
  ) throws(ArchiveError) -> PendingEntries.Content {
    guard parted[position] == nil else { throw connection.violation("sent a file whole and in parts") }
    do throws(ArchiveError) {
      switch isWanted {
      case true?:
        try threadPool?.enqueue(entry, bytes, position: Int(position))
        return .passedOn
      case false?: return .stored
      case nil:
        let file = try unsettled.file(entry, reserved: nil) { take throws(ArchiveError) in
          try bytes.withBytes { block throws(ArchiveError) in try take(block, 0) }
          return Int64(bytes.count)
        }
        return .file(file)
      }
    } catch {
      return .failure(error)
    }
  }

  /// Takes a part of a content.
  mutating func take(
    _ bytes: WindowBytes, at offset: Int64, of entry: ArchiveEntry, _ position: Int64, isWanted: Bool?
  ) throws(ArchiveError) {
    if bytes.count == 0 {
      guard parted.removeValue(forKey: position) != nil else {
        throw connection.violation("sent an empty part")
      }
      return
    }
    if parted[position] == nil {
      // One for each thread that decodes.
      guard parted.count < context.threads else { throw connection.violation("began too many files") }
      parted[position] = begin(entry, position, isWanted)
    }
    guard var part = parted.removeValue(forKey: position), offset >= part.end,
      offset <= .max - Int64(bytes.count)
    else { throw connection.violation("sent a part that does not follow the one before it") }
    let end = offset + Int64(bytes.count)
    do throws(ArchiveError) {
      if let content = part.content {
        try bytes.withBytes { block throws(ArchiveError) in try content.write(block, at: offset) }
      } else {
        // The rest is received and dropped, but not without end.
        try context.ledger.pass(end - part.end, end: end, entry: entry.name)
      }
    } catch {
      // An honest worker has the same limits, and sends little that exceeds them.
      if error.code == .limitExceeded {
        _ = connection.violation("sent more than the limits allow")
        throw error
      }
      (part.content, part.failure) = (nil, error)
    }
    part.end = end
    parted[position] = part
  }

  private func begin(_ entry: ArchiveEntry, _ position: Int64, _ isWanted: Bool?) -> Parted {
    var part = Parted()
    if isWanted == false { return part }
    do throws(ArchiveError) {
      part.content = try (isWanted == nil ? unsettled : destination)?.begin(
        entry, position: Int(position), reserved: nil)
    } catch {
      part.failure = error
    }
    return part
  }

  /// Takes the end of a content whose parts have come.
  mutating func finish(
    size: Int64, of entry: ArchiveEntry, _ position: Int64, isWanted: Bool?
  ) throws(ArchiveError) -> PendingEntries.Content {
    // Without a part it is a hole.
    let part = parted.removeValue(forKey: position) ?? begin(entry, position, isWanted)
    guard size >= part.end else { throw connection.violation("sent more than the whole of a file") }
    if let failure = part.failure { return .failure(failure) }
    do throws(ArchiveError) {
      return try part.content?.finish(size: size).map { .file($0) } ?? .stored
    } catch {
      return .failure(error)
    }
  }

  /// Drops what has come of a content that failed.
  mutating func drop(_ position: Int64) { parted[position] = nil }
}
