internal import SealedMemory

/// A source that puts what comes into sealed slabs while most of it is content to be packed, and lends it from there.
@safe final class SlabbedSource: ByteSource {
  private let upstream: any ByteSource
  private let ledger: Ledger
  private let usesFolios: Bool
  private let keepsDescriptor: Bool
  /// Fills slabs ahead of the reader; nil for what can only be read one after another, in one go.
  private let filler: SlabFiller?
  /// What was lent last is in it; nil where it is in no slab.
  private(set) var slab: StreamSlab?
  /// Whether any of it is kept.
  private var isSlabUsed = true
  /// The number of bytes lent or read so far.
  private var position: Int64 = 0
  /// Slabs are filled from here on.
  private var slabsBegin: Int64 = .max
  /// What the upstream lent and this has not.
  private var rest = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// For bytes on their way to a slab that cannot be filled in place; made when needed.
  private var buffer: [UInt8] = []
  private var isAtEnd = false
  private var failure: ArchiveError?

  /// As long as a slab waits for more of a pipe before it ends.
  private static let patience: Int32 = 100
  static let bufferSize = 256 << 10

  init(
    _ upstream: any ByteSource, _ ledger: Ledger, usesFolios: Bool, keepsDescriptor: Bool, threads: Int
  ) {
    self.upstream = upstream
    self.ledger = ledger
    self.usesFolios = usesFolios
    self.keepsDescriptor = keepsDescriptor
    filler = upstream.seekable.map {
      SlabFiller(
        $0, ledger, usesFolios: usesFolios, keepsDescriptor: keepsDescriptor, threads: threads)
    }
  }

  var progress: SourceProgress { upstream.progress }

  /// Whether slabs are being filled, now or after what is read without them.
  var isFilling: Bool { slabsBegin != .max }

  /// Fills slabs with what follows.
  func begin() {
    slabsBegin = position
    isSlabUsed = true
  }

  /// Leaves it at the slabs there are.
  func stop() {
    slabsBegin = .max
    leaveFiller()
  }

  /// Where this part of the stream is in the slab that was lent last, from which it will be kept; nil where it is not all there.
  func place(of part: Range<Int64>) -> Range<Int>? {
    guard let place = slab?.place(of: part) else { return nil }
    isSlabUsed = true
    return place
  }

  /// Reads what comes before `end` without putting it into slabs, unless it is there already.
  func leaveOut(to end: Int64) {
    guard isFilling, end > position, end > filler?.end ?? 0 else { return }
    slabsBegin = end
    leaveFiller()
  }

  private func leaveFiller() {
    guard let filler else { return }
    filler.dropAll()
    upstream.seekable?.position = position
  }

  func lend() throws(ArchiveError) -> UnsafeRawBufferPointer? {
    slab = nil
    if let next = try nextSlab() {
      slab = next
      position = next.range.upperBound
      return unsafe next.bytes
    }
    guard let lent = unsafe try lendUpstream() else { return nil }
    let count = Int(min(Int64(lent.count), max(1, slabsBegin - position)))
    unsafe rest = UnsafeRawBufferPointer(rebasing: lent[min(count, lent.count)...])
    position += Int64(min(count, lent.count))
    return unsafe UnsafeRawBufferPointer(rebasing: lent[..<min(count, lent.count)])
  }

  private func lendUpstream() throws(ArchiveError) -> UnsafeRawBufferPointer? {
    if unsafe !rest.isEmpty { return unsafe rest }
    if let failure { throw failure }
    return isAtEnd ? unsafe UnsafeRawBufferPointer(start: nil, count: 0) : unsafe try upstream.lend()
  }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let most = Int(min(Int64(buffer.byteCount), max(1, slabsBegin - position)))
    var front = buffer._mutatingExtracting(0..<most)
    let count = try upstream.read(into: &front)
    position += Int64(count)
    return count
  }

  func skip(_ count: Int64) throws(ArchiveError) -> Int64 {
    // What has been filled ahead is passed through.
    if isFilling, position + count <= filler?.end ?? 0 { return 0 }
    if isFilling { leaveFiller() }
    let skipped = try upstream.skip(count)
    position += skipped
    return skipped
  }

  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool {
    if unsafe !rest.isEmpty || isAtEnd || failure != nil { return true }
    return try upstream.waitForInput(milliseconds: milliseconds)
  }

  // MARK: Slabs

  private func nextSlab() throws(ArchiveError) -> StreamSlab? {
    guard position >= slabsBegin, !isAtEnd, failure == nil else { return nil }
    guard isSlabUsed else {
      stop()
      return nil
    }
    guard position.isMultiple(of: StreamSlab.alignment) else {
      slabsBegin = (position + StreamSlab.alignment - 1) / StreamSlab.alignment * StreamSlab.alignment
      leaveFiller()
      return nil
    }
    isSlabUsed = false
    if let filler {
      if let slab = filler.next(at: position) { return slab }
      // Reading on meets the same error, or the end.
      stop()
      return nil
    }
    return try fill()
  }

  /// The next slab, filled by this thread.
  private func fill() throws(ArchiveError) -> StreamSlab? {
    guard let charge = ReadAheadCharge(ledger, StreamSlab.capacity),
      var writer = try? SlabWriter.create(usesFolios: usesFolios, capacity: StreamSlab.capacity)
    else {
      stop()
      return nil
    }
    while writer.room > 0, !isAtEnd {
      do throws(ArchiveError) {
        // What came out of a pipe that rests is not held back.
        if writer.count > 0, try !waitForInput(milliseconds: Self.patience) { break }
        try fillNext(&writer)
      } catch {
        failure = error
        unsafe rest = UnsafeRawBufferPointer(start: nil, count: 0)
        break
      }
    }
    guard writer.count > 0 else { return nil }
    return try StreamSlab(writer, at: position, charge, keepsDescriptor: keepsDescriptor)
  }

  private func fillNext(_ writer: inout SlabWriter) throws(ArchiveError) {
    if let lent = unsafe try lendUpstream() {
      let count = min(lent.count, writer.room)
      isAtEnd = unsafe lent.isEmpty
      unsafe rest = UnsafeRawBufferPointer(rebasing: lent[count...])
      do throws(MemoryError) {
        try unsafe writer.extend(UnsafeRawBufferPointer(rebasing: lent[..<count]).bytes)
      } catch {
        throw ArchiveError(error)
      }
    } else {
      isAtEnd =
        try writer.extend(most: writer.room, buffer: &buffer) { memory throws(ArchiveError) in
          try upstream.read(into: &memory)
        } == 0
    }
  }
}

extension SlabWriter {
  /// Adds what `read` puts at the front of the memory that it is given, and returns the number of bytes.
  mutating func extend(
    most: Int, buffer: inout [UInt8], _ read: (inout MutableRawSpan) throws(ArchiveError) -> Int
  ) throws(ArchiveError) -> Int {
    let memory = unsafe self.memory()
    if unsafe !memory.isEmpty {
      let front = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[..<min(most, memory.count)])
      var span = unsafe MutableRawSpan(_unsafeBytes: front)
      let count = try read(&span)
      extend(by: count)
      return count
    }
    buffer.grow(to: SlabbedSource.bufferSize)
    var elements = buffer.mutableSpan
    var bytes = unsafe elements.mutableBytes
    var front = bytes._mutatingExtracting(0..<min(most, bytes.byteCount))
    let count = try read(&front)
    do throws(MemoryError) { try unsafe extend(buffer.span.bytes.extracting(0..<count)) } catch {
      throw ArchiveError(error)
    }
    return count
  }
}
