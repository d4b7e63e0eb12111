internal import SealedMemory
internal import SystemPackage

/// The writable memory that one entry streams into, block by block, each at its offset. `seal` consumes it and returns the
/// content of a MemFile; dropping it exposes nothing.
///
/// It is a memory file of its own, or a part of its factory's open slab. What goes to a slab and does not come in one block
/// is staged on the heap first, so that a slab is only ever appended to.
struct Region: ~Copyable {
  private let factory: MemFileFactory
  private let name: String
  private let declaredSize: Int64?
  private var charge: Charge
  private var file: MemfdWriter?
  /// Whether the content ends up in a slab.
  private let isPacked: Bool
  /// Where the content is in a slab already.
  private var place: Slab.Place?
  /// The number of bytes on the heap.
  private var staged = 0
  /// The end of the content so far: of the last block, or of a hole after it.
  private var end: Int64 = 0

  /// - Parameters:
  ///   - declaredSize: Only a hint, and only once it has passed the limits.
  ///   - reserved: What the ledger was charged for the entry before.
  static func create(
    _ factory: MemFileFactory, name: String, declaredSize: Int64?, reserved: Reservation? = nil
  ) throws(ArchiveError) -> Self {
    var charge = Charge(factory.ledger, entry: name, reserved ?? Reservation())
    if let declaredSize, reserved == nil { try factory.ledger.check(declared: declaredSize, entry: name) }
    guard let memfd = try factory.ownMemfd(name: name, &charge) else {
      return Self(factory, name: name, declaredSize: declaredSize, charge: charge, file: nil)
    }
    let file: MemfdWriter
    do throws(MemoryError) {
      file = try MemfdWriter.create(memfd, declaredSize: declaredSize, fill: factory.fill)
    } catch {
      throw ArchiveError(error, entry: name)
    }
    return Self(factory, name: name, declaredSize: declaredSize, charge: charge, file: file)
  }

  private init(
    _ factory: MemFileFactory, name: String, declaredSize: Int64?, charge: consuming Charge,
    file: consuming MemfdWriter?
  ) {
    self.factory = factory
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
        place = try factory.pack(block, charge: &charge)
        return
      }
      if blockEnd <= MemFileFactory.largestPacked {
        factory.stage(block, at: Int(offset), after: staged)
        staged = max(staged, Int(blockEnd))
        return
      }
      try leaveStage()
    }
    do throws(MemoryError) { try file!.write(block, at: offset) } catch {
      throw ArchiveError(error, entry: name)
    }
  }

  /// Makes the content final at exactly `size` bytes; what lies between the last block and there is a hole.
  consuming func seal(size: Int64) throws(ArchiveError) -> FileMemory {
    try extend(to: size)
    if file == nil, place == nil {
      if size <= MemFileFactory.largestPacked {
        factory.stageZeros(from: staged, to: Int(size))
        place = try factory.packStaged(Int(size), charge: &charge)
      } else {
        try leaveStage()
      }
    }
    if let place { return .packed(place.slab, place.offset..<place.offset + Int(size)) }
    let (isPacked, modes, keepsDescriptor) = (isPacked, factory.modes, factory.keepsDescriptors)
    let name = name
    let sealed: SealedMemfd
    do throws(MemoryError) { sealed = try file!.seal(size: size) } catch {
      throw ArchiveError(error, entry: name)
    }
    let memory = ChargedMemory(sealed, charge)
    return isPacked
      ? .packed(
        try Slab(memory, modes: modes, keepsDescriptor: keepsDescriptor), 0..<Int(size)
      ) : .own(memory)
  }

  private mutating func extend(to newEnd: Int64) throws(ArchiveError) {
    guard newEnd > end else { return }
    try charge.grow(to: newEnd)
    end = newEnd
  }

  /// Goes on in a memory file: content that would take a good part of a slab becomes a slab by itself.
  private mutating func leaveStage() throws(ArchiveError) {
    let memfd = try factory.memfd(name: name)
    do throws(MemoryError) {
      var file = try MemfdWriter.create(memfd, declaredSize: declaredSize, fill: factory.fill)
      if staged > 0 { try file.write(factory.staged(staged), at: 0) }
      self.file = consume file
    } catch {
      throw ArchiveError(error, entry: name)
    }
    staged = 0
  }
}

/// Where the content of a MemFile is.
enum FileMemory: ~Copyable {
  /// The memory of another file.
  case other(MemFile)
  /// In a memory file of its own.
  case own(ChargedMemory)
  /// In a part of a slab.
  case packed(Slab, Range<Int>)

  /// The content's size in bytes.
  var size: Int {
    switch self {
    case .own(let memory): memory.sealed.size
    case .other(let file): file.size
    case .packed(_, let range): range.count
    }
  }
}

/// A sealed memory file, and the charge that is given back when it is closed.
struct ChargedMemory: ~Copyable, Sendable {
  let sealed: SealedMemfd
  let charge: Charge

  init(_ sealed: consuming SealedMemfd, _ charge: consuming Charge) {
    self.sealed = sealed
    self.charge = charge
  }

  var descriptor: FileDescriptor { sealed.memfd.descriptor }
  var seals: MemFile.Seals { MemFile.Seals(rawValue: sealed.seals) }
}
