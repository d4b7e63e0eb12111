internal import SealedMemory
internal import Synchronization

/// One sealed memory file shared by many packed files. It lives as long as any of them.
///
/// It is open while an extraction appends to it, and ends when it is full, when the extraction is over, or when somebody
/// looks at a file in it. Then it is sealed, mapped once for reading, and its descriptor closed.
final class Slab: Sendable {
  private static let count = Atomic<UInt32>(0)
  /// Unique within the process.
  let number = Slab.count.wrappingAdd(1, ordering: .relaxed).newValue

  /// Where a file begins.
  struct Place {
    let slab: Slab
    let offset: Int
  }

  private struct State: ~Copyable {
    var writer: SlabWriter?
    var sealed: SealedSlab?
    var failure: ArchiveError?
    var charge: Charge
    var files = 0
  }

  let modes: FileModes
  let ledger: Ledger
  /// Whether the descriptor stays open after the slab has ended, to be passed on.
  private let keepsDescriptor: Bool
  private let state: Mutex<State>

  /// An open slab without a file.
  init(
    usesFolios: Bool, modes: FileModes, keepsDescriptor: Bool = false, ledger: Ledger
  ) throws(ArchiveError) {
    self.modes = modes
    self.keepsDescriptor = keepsDescriptor
    self.ledger = ledger
    let writer: SlabWriter
    do throws(MemoryError) { writer = try SlabWriter.create(usesFolios: usesFolios) } catch {
      throw ArchiveError(error)
    }
    let charge = Charge(ledger, entry: SlabWriter.name)
    state = Mutex(State(writer: writer, sealed: nil, failure: nil, charge: charge))
  }

  /// A slab that is one large file.
  init(
    _ memory: consuming ChargedMemory, modes: FileModes, keepsDescriptor: Bool = false
  ) throws(ArchiveError) {
    self.modes = modes
    self.keepsDescriptor = keepsDescriptor
    ledger = memory.charge.ledger
    let sealed: SealedSlab
    do throws(MemoryError) {
      sealed = try SealedSlab(memory.sealed, keepsDescriptor: keepsDescriptor)
    } catch {
      throw ArchiveError(error)
    }
    state = Mutex(State(writer: nil, sealed: sealed, failure: nil, charge: memory.charge, files: 1))
  }

  /// A sealed slab with this many files in it.
  init(
    _ sealed: SealedSlab, files: Int, _ charge: consuming Charge, modes: FileModes, keepsDescriptor: Bool
  ) {
    self.modes = modes
    self.keepsDescriptor = keepsDescriptor
    ledger = charge.ledger
    state = Mutex(State(writer: nil, sealed: sealed, failure: nil, charge: charge, files: files))
  }

  /// Appends a file and takes over its charge; nil where it does not fit or the slab has ended.
  func append(_ content: RawSpan, charge: inout Charge) throws(ArchiveError) -> Place? {
    // The closure cannot throw a type of its own, so the error is handed out of it.
    var failure: MemoryError?
    let offset: Int? = state.withLock { state in
      do throws(MemoryError) {
        guard let offset = try state.writer?.append(content) else { return nil }
        charge.move(to: &state.charge)
        state.files += 1
        return offset
      } catch {
        failure = error
        return nil
      }
    }
    if let failure { throw ArchiveError(failure) }
    return offset.map { Place(slab: self, offset: $0) }
  }

  /// Leaves it to the caller to give the charge of all files back to the ledger; returns it in bytes.
  func handOverCharge() -> Int64 {
    state.withLock { state in
      var charge = Charge(ledger, entry: SlabWriter.name)
      state.charge.move(to: &charge)
      return charge.handOver().bytes
    }
  }

  /// The size of the memory file and the number of files in it, once the slab has ended.
  var extentIfSealed: (size: Int, files: Int)? {
    state.withLock { state in state.sealed.map { ($0.size, state.files) } }
  }

  /// The descriptor of a slab that has ended and keeps it, once.
  func takeDescriptor() -> HeldDescriptor? { state.withLock { $0.sealed }?.takeDescriptor() }

  /// Ends the slab if it is open.
  func finish() throws(ArchiveError) { _ = try sealed() }

  /// Ends the slab where nobody is there to hear of a failure; whoever looks at a file in it will get the error.
  func close() { _ = try? sealed() }

  /// A sealed memory file with a copy of one file's content. The slab stays open if it is.
  func copy(_ range: Range<Int>, name: String) throws(ArchiveError) -> ChargedMemory {
    var charge = Charge(ledger, entry: name)
    charge.addDescriptor()
    try charge.grow(to: Int64(range.count))
    let open = try openBytes(range)
    let complete = open == nil ? try self.sealed() : nil
    let sealed: SealedMemfd
    do throws(MemoryError) {
      let memfd = try Memfd.create(name: name, executable: modes.executable)
      var file = try MemfdWriter.create(memfd, declaredSize: Int64(range.count), fill: .folios)
      if let open { try unsafe file.write(open.span.bytes, at: 0) }
      try complete?.withBytes(range) { bytes throws(MemoryError) in try file.write(bytes, at: 0) }
      sealed = try file.seal(size: Int64(range.count))
    } catch {
      throw ArchiveError(error, entry: name)
    }
    return ChargedMemory(sealed, charge)
  }

  /// A copy of one file's content as long as the slab is open; nil after that.
  private func openBytes(_ range: Range<Int>) throws(ArchiveError) -> [UInt8]? {
    let result: Result<[UInt8]?, MemoryError> = state.withLock { state in
      do throws(MemoryError) { return .success(try state.writer?.bytes(range)) } catch {
        return .failure(error)
      }
    }
    return try result.mapError { ArchiveError($0) }.get()
  }

  /// The content of all files, which can no longer change.
  func sealed() throws(ArchiveError) -> SealedSlab {
    let result: Result<SealedSlab, ArchiveError> = state.withLock { state in
      if let sealed = state.sealed { return .success(sealed) }
      if let failure = state.failure { return .failure(failure) }
      do throws(MemoryError) {
        let sealed = try state.writer.take()!.finish(keepsDescriptor: keepsDescriptor)
        state.sealed = sealed
        return .success(sealed)
      } catch {
        state.failure = ArchiveError(error)
        return .failure(ArchiveError(error))
      }
    }
    return try result.get()
  }
}
