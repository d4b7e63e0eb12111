internal import CZlib

/// Decodes gzip (RFC 1952) and verifies each member's CRC-32 and length; libarchive verifies neither. Members that bgzip(1)
/// writes are decoded on several threads, after the first.
final class GzipDecoder: ByteSource {
  /// Nil where nothing but members may follow.
  private let warnings: WarningLog?
  private let inflater: RawInflater
  private var input: InputBuffer
  private enum State { case betweenMembers, inMember, failed(ArchiveError), ended }
  private var state = State.betweenMembers
  private var first: GzipHeader?
  private var checksum = CRC32()
  /// The member's length so far, modulo 2^32.
  private var length: UInt32 = 0
  private let members: MemberQueue?
  private let indexer: GzipIndexer?

  /// - Parameter indexer: Decodes in place of this, and notes where the stream can be decoded from; with one thread.
  init(
    _ upstream: any ByteSource, threads: Int = 1, warnings: WarningLog?, indexer: GzipIndexer? = nil
  ) throws(ArchiveError) {
    self.warnings = warnings
    self.indexer = indexer
    members = threads > 1 ? MemberQueue(threads: threads) : nil
    inflater = try RawInflater()
    input = InputBuffer(upstream, kept: RawInflater.largestReturn)
  }

  /// zlib's version.
  static var libraryVersion: String {
    "zlib " + (unsafe zlibVersion().map { unsafe String(cString: $0) } ?? "")
  }

  var progress: SourceProgress { input.progress }

  /// The file name in the first member's header (FNAME), known once the first bytes have been read. Latin-1 by the RFC,
  /// the raw bytes of the file system's name in practice.
  var storedName: [UInt8]? { first?.name }

  /// The comment in the first member's header (FCOMMENT).
  var storedComment: [UInt8]? { first?.comment }

  /// The time in the first member's header (MTIME), seconds since 1970; nil if it has none.
  var storedTime: Int64? { first?.time }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    var produced = 0
    while produced == 0 {
      switch state {
      case .ended: return 0
      case .failed(let error): throw error
      case .betweenMembers:
        produced = try readAhead(into: &buffer)
        if produced == 0, case .betweenMembers = state { try enterNextMember() }
      case .inMember: produced = try inflateSome(into: &buffer)
      }
    }
    return produced
  }

  /// Content of members that other threads decode; 0 if this one has to decode the next.
  private func readAhead(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard let members, first != nil else { return 0 }
    switch try members.read(from: &input, into: &buffer) {
    case .bytes(let count): return count
    case .here(returned: let count):
      try skip(count)
      return 0
    }
  }

  private func inflateSome(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    _ = try input.has(1)
    let offset = input.dropped
    let step = try input.withBytes { bytes throws(ArchiveError) in
      if let indexer { return try indexer.inflate(bytes, at: offset, into: &buffer) }
      return try inflater.inflate(bytes, into: &buffer)
    }
    input.drop(step.used)
    checksum.update(buffer.bytes.extracting(0..<step.produced))
    length &+= UInt32(truncatingIfNeeded: step.produced)
    do throws(ArchiveError) {
      if let damage = step.damage {
        throw .corrupt("the gzip stream is damaged: \(damage)", call: "inflate")
      }
      if step.isLast {
        try checkTrailer()
        state = .betweenMembers
      } else if step.produced == 0, input.isUsedUp {
        throw .truncated("the gzip stream ends before its trailer", call: "inflate")
      }
    } catch {
      // Content that precedes the damage is returned first.
      guard step.produced > 0 else { throw error }
      state = .failed(error)
    }
    return step.produced
  }

  /// The member's CRC-32 and its length modulo 2^32.
  private func checkTrailer() throws(ArchiveError) {
    guard try input.has(8) else {
      throw .truncated("the gzip stream ends before its trailer", call: "inflate")
    }
    guard input.little(UInt32.self) == checksum.value else {
      throw .corrupt("the gzip stream is damaged: incorrect data check", call: "inflate")
    }
    guard input.little(UInt32.self, at: 4) == length else {
      throw .corrupt("the gzip stream is damaged: incorrect length check", call: "inflate")
    }
    indexer?.endMember(at: input.dropped, checksum: checksum.value)
    input.drop(8)
  }

  /// Called at the start and after each member: another member, zero padding (tapes), or other data, which gzip(1) ignores
  /// with a warning, may follow.
  private func enterNextMember() throws(ArchiveError) {
    if first != nil {
      try input.dropZeros()
      if input.isUsedUp {
        state = .ended
        return
      }
      let isWhole = try input.has(2)
      guard input.begins(with: [0x1F, 0x8B]) else {
        guard let warnings else { throw .corrupt("something else follows the gzip stream") }
        warnings.addGarbage(after: .gzip)
        state = .ended
        return
      }
      guard isWhole else { throw .truncated("the gzip stream ends inside the header of a member") }
    }
    let header = try GzipHeader(&input)
    // Written once, because other threads read it while further members are decoded.
    if first == nil { first = header }
    inflater.reset()
    indexer?.beginMember(at: input.dropped)
    checksum = CRC32()
    length = 0
    state = .inMember
  }
}
