/// The writable memory that one entry streams into, block by block at its offset. `seal` consumes it and a MemFile's
/// content comes out; a region that is dropped exposes nothing.
///
/// It is a memory file of its own, or a part of its store's open slab. What goes to a slab and does not come in one block
/// is staged on the heap first, so that a slab is only ever appended to.
struct Region: ~Copyable {
  private let store: MemFileFactory
  private let name: String
  private let declaredSize: Int64?
  private var charge: Charge
  private var file: MemfdWriter?
  /// Whether the content ends up in a slab.
  private let isPacked: Bool
  /// Where the content lies in a slab already.
  private var place: Slab.Place?
  /// How much of the content is on the heap.
  private var staged = 0
  /// The end of the content so far: the last block's, or a hole's behind it.
  private var end: Int64 = 0

  /// - Parameters:
  ///   - declaredSize: believed as a hint only, and only once it has passed the limits.
  ///   - reserved: what the ledger was charged with for it before.
  static func create(
    _ store: MemFileFactory, name: String, declaredSize: Int64?, reserved: Reservation? = nil
  ) throws(ArchiveError) -> Self {
    var charge = Charge(store.ledger, entry: name, reserved ?? Reservation())
    if let declaredSize, reserved == nil { try store.ledger.check(declared: declaredSize, entry: name) }
    guard let memfd = try store.ownMemfd(name: name, &charge) else {
      return Self(store, name: name, declaredSize: declaredSize, charge: charge, file: nil)
    }
    let file = try MemfdWriter.create(memfd, name: name, declaredSize: declaredSize, fill: store.fill)
    return Self(store, name: name, declaredSize: declaredSize, charge: charge, file: file)
  }

  private init(
    _ store: MemFileFactory, name: String, declaredSize: Int64?, charge: consuming Charge,
    file: consuming MemfdWriter?
  ) {
    self.store = store
    self.name = name
    self.declaredSize = declaredSize
    isPacked = file == nil
    self.charge = charge
    self.file = file
  }

  /// Puts `block` at `offset`. Bytes never written read as zero.
  mutating func write(_ block: RawSpan, at offset: Int64) throws(ArchiveError) {
    let (blockEnd, overflow) = offset.addingReportingOverflow(Int64(block.byteCount))
    guard offset >= 0, !overflow else {
      throw .corrupt("a block lies at the impossible offset \(offset)", entry: name)
    }
    try extend(to: blockEnd)
    if file == nil {
      if staged == 0, offset == 0, place == nil, blockEnd == declaredSize,
        blockEnd <= MemFileFactory.largestPacked
      {
        place = try store.pack(block, charge: &charge)
        return
      }
      if blockEnd <= MemFileFactory.largestPacked {
        store.stage(block, at: Int(offset), behind: staged)
        staged = max(staged, Int(blockEnd))
        return
      }
      try leaveStage()
    }
    try file!.write(block, at: offset)
  }

  /// Makes the content final at exactly `size` bytes; a hole reaches from the last block to there.
  consuming func seal(size: Int64) throws(ArchiveError) -> FileMemory {
    try extend(to: size)
    if file == nil, place == nil {
      if size <= MemFileFactory.largestPacked {
        store.stageZeros(from: staged, to: Int(size))
        place = try store.packStaged(Int(size), charge: &charge)
      } else {
        try leaveStage()
      }
    }
    if let place { return .packed(place.slab, place.offset..<place.offset + Int(size)) }
    let isShared = isPacked && !store.isCopied
    let (executable, keepsDescriptor) = (store.executable, store.keepsDescriptors)
    let sealed = try file!.seal(size: size, charge: charge)
    return isShared
      ? .packed(
        try Slab(sealed, executable: executable, keepsDescriptor: keepsDescriptor), 0..<Int(size)
      ) : .own(sealed)
  }

  private mutating func extend(to newEnd: Int64) throws(ArchiveError) {
    guard newEnd > end else { return }
    try charge.grow(to: newEnd)
    end = newEnd
  }

  /// Goes on in a memory file: what is larger than a good part of a slab becomes a slab by itself.
  private mutating func leaveStage() throws(ArchiveError) {
    var file = try MemfdWriter.create(
      try store.memfd(name: name), name: name, declaredSize: declaredSize, fill: store.fill)
    if staged > 0 { try file.write(store.staged(staged), at: 0) }
    staged = 0
    self.file = consume file
  }
}

/// Where the content of a MemFile is.
enum FileMemory: ~Copyable {
  /// In a memory file of its own.
  case own(SealedMemory)
  /// In a part of a slab.
  case packed(Slab, Range<Int>)

  /// The content's size in bytes.
  var size: Int {
    switch self {
    case .own(let memory): memory.size
    case .packed(_, let range): range.count
    }
  }
}
