/// Members of a gzip stream that other threads decode ahead: those of BGZF, as bgzip(1) writes them, which say how long they are
/// and are small (Sequence Alignment/Map Format Specification, 4.1). Handing over others takes more than it brings.
///
/// What does not decode to its end is decoded again by the thread that reads the stream, which knows what to say about it, and so
/// is all that follows.
final class MemberQueue {
  /// As many packed bytes are handed over at once.
  private static let enough = 128 << 10
  /// Fewer are decoded by the reading thread.
  private static let least = 64 << 10
  private static let headerSize = 18
  private static let largest = 64 << 10
  /// The bytes of content that are decoded before they are wanted: of what shrinks to less than an eighth, not all.
  private static let room = 1 << 20

  private let queue: BlockQueue<SourceBlock>
  /// What was handed over, in case that it has to be decoded again.
  private var packed: [[UInt8]] = []
  /// The number of bytes of the first one's content that have been returned.
  private var returned = 0
  /// Where there may be more to hand over, in bytes from the beginning of the stream: nothing is looked at twice.
  private var start = 0
  /// An error of the source, kept until all content before it has been returned.
  private var failure: ArchiveError?

  /// Whether a stream that begins so has such members.
  static func isFor(_ head: [UInt8]) -> Bool {
    head.starts(with: [0x1F, 0x8B, 8, 4])
      && head.dropFirst(10).starts(with: [6, 0, UInt8(ascii: "B"), UInt8(ascii: "C"), 2, 0])
  }

  init(threads: Int) { queue = BlockQueue(threads: threads) }

  enum Output {
    case bytes(Int)
    /// The reading thread decodes what comes next in its input, of which so many bytes have been returned.
    case here(returned: Int)
  }

  /// Returns content of what comes next. To be called between members, of which there has been one.
  func read(
    from input: inout InputBuffer, into buffer: inout MutableRawSpan
  ) throws(ArchiveError) -> Output {
    while true {
      switch queue.takeFirst(into: &buffer) {
      case .bytes(let count):
        returned += count
        return .bytes(count)
      case .ended:
        packed.removeFirst()
        returned = 0
      case .failed:
        while !queue.isEmpty { queue.removeFirst() }
        input.putBack(packed.flatMap(\.self))
        (packed, start) = ([], .max)
        return .here(returned: returned)
      case .nothingYet:
        if try handOver(&input) { continue }
        if !queue.isEmpty {
          queue.awaitFirst()
        } else if let failure {
          throw failure
        } else {
          return .here(returned: 0)
        }
      }
    }
  }

  /// Queues the next members; false if there are none, or they have to wait.
  private func handOver(_ input: inout InputBuffer) throws(ArchiveError) -> Bool {
    guard input.dropped >= start, failure == nil,
      case .taken = queue.admission(of: Self.room + Self.enough + Self.largest)
    else { return false }
    let size: Int
    do throws(ArchiveError) { size = try Self.members(&input) } catch {
      failure = error
      return true
    }
    guard size >= Self.least else {
      start = input.dropped + size
      return false
    }
    let bytes = input.withBytes(size) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    let decoder = try GzipDecoder(MemorySource(bytes), warnings: nil)
    guard
      case .taken = queue.take(
        SourceBlock(decoder, 0, memory: Self.enough + Self.largest), packed: 0, room: Self.room)
    else {
      // There is no thread.
      start = .max
      return false
    }
    packed.append(bytes)
    input.drop(size)
    return true
  }

  /// The size of some whole members that are next in `input`.
  private static func members(_ input: inout InputBuffer) throws(ArchiveError) -> Int {
    var end = 0
    while end < enough, try input.has(end + headerSize),
      isFor((end..<end + headerSize).map { input[$0] })
    {
      // BSIZE, the size less one.
      let next = end + Int(input.little(UInt16.self, at: end + 16)) + 1
      guard try input.has(next) else { break }
      end = next
    }
    return end
  }
}
