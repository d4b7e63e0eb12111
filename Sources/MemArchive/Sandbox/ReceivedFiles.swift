internal import SystemPackage

/// The files that a worker has sent, verified and charged to the ledger of this process.
struct ReceivedFiles {
  private struct ReceivedSlab {
    let slab: Slab
    let size: Int
  }

  private let session: WorkerSession
  private let ledger: Ledger
  private let executable: Bool
  private var slabs: [UInt32: ReceivedSlab] = [:]
  private var slabBytes = 0
  private var packedBytes = 0
  /// Files that had a descriptor of their own.
  private var ownCount = 0

  /// So much more than their files slabs may have without being charged for it: alignment, the rest of a folio, content
  /// that turned out to be damaged, files that have yet to be spoken of.
  private static let allowance = 64 << 20

  init(_ session: WorkerSession, _ ledger: Ledger, executable: Bool) {
    self.session = session
    self.ledger = ledger
    self.executable = executable
  }

  /// A file of its own, in the next descriptor.
  mutating func takeOwn(size: Int64, _ entry: ArchiveEntry) throws(ArchiveError) -> MemFile {
    ownCount += 1
    if ownCount == EntryCrew.many { SystemCalls.growDescriptorTable() }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: entry.name)
    charge.addDescriptor()
    try charge.grow(to: size)
    return MemFile(.own(memory.charged(with: charge)), name: entry.name, entry: entry)
  }

  /// Notes a file that lies in a slab, which may have to come yet.
  mutating func note(slab: UInt32, offset: Int64, size: Int64) throws(ArchiveError) -> Int {
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end <= Int64(slabs[slab]?.size ?? .max) else {
      throw session.violation("spoke of a file that lies beyond its slab")
    }
    packedBytes &+= Int(size)
    return Int(size)
  }

  /// The next descriptor is a slab.
  mutating func add(slab number: UInt32, size: Int64) throws(ArchiveError) {
    guard slabs[number] == nil else { throw session.violation("sent one slab twice") }
    let memory = try verified(size)
    var charge = Charge(ledger, entry: SlabWriter.name)
    // Memory that no file stands for is charged too.
    slabBytes &+= Int(size)
    let excess = slabBytes &- packedBytes &- packedBytes / 4 &- Self.allowance
    if excess > 0 { try charge.grow(to: Int64(min(excess, Int(size)))) }
    let slab = try Slab(memory.charged(with: charge), executable: executable)
    slabs[number] = ReceivedSlab(slab: slab, size: Int(size))
  }

  /// Whether a slab has come.
  func has(slab: UInt32) -> Bool { slabs[slab] != nil }

  /// A file in a slab, which must have come.
  func takePacked(slab number: UInt32, offset: Int, size: Int, _ entry: ArchiveEntry) throws(ArchiveError)
    -> MemFile
  {
    guard let received = slabs[number] else {
      throw session.violation("did not send a slab that it spoke of")
    }
    guard size <= received.size, offset <= received.size - size else {
      throw session.violation("spoke of a file that lies beyond its slab")
    }
    var charge = Charge(ledger, entry: entry.name)
    try charge.grow(to: Int64(size))
    received.slab.adopt(&charge)
    return MemFile(.packed(received.slab, offset..<offset + size), name: entry.name, entry: entry)
  }

  private func verified(_ size: Int64) throws(ArchiveError) -> VerifiedMemory {
    let memfd = try session.takeMemfd()
    do { return try ReceivedDescriptor.verify(memfd, claimedSize: size) } catch {
      throw session.violation("sent a descriptor that \(error.reason)")
    }
  }
}
