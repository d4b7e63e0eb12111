/// A source whose first bytes can be inspected before they are read.
final class BufferedSource: ByteSource {
  private let upstream: any ByteSource
  private var head: [UInt8] = []
  private var taken = 0
  private var atEnd = false
  private var failure: ArchiveError?

  init(_ upstream: any ByteSource) { self.upstream = upstream }

  var progress: SourceProgress { upstream.progress }

  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool {
    if taken < head.count || atEnd || failure != nil { return true }
    return try upstream.waitForInput(milliseconds: milliseconds)
  }

  /// Up to `count` first bytes, fewer only if the source ends or fails: bytes before a failure are still read. Must be
  /// called before the first `read`.
  func peek(_ count: Int) throws(ArchiveError) -> [UInt8] {
    while head.count < count, !atEnd, failure == nil {
      let start = head.count
      head.grow(to: count)
      do throws(ArchiveError) {
        let read = try upstream.read(into: &head, from: start)
        head.removeSubrange((start + read)...)
        atEnd = read == 0
      } catch {
        head.removeSubrange(start...)
        failure = error
      }
    }
    if let failure, head.isEmpty { throw failure }
    return head
  }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard taken < head.count else {
      if let failure { throw failure }
      return atEnd ? 0 : try upstream.read(into: &buffer)
    }
    let count = min(buffer.byteCount, head.count - taken)
    unsafe buffer.copy(head.span.bytes.extracting(taken..<taken + count))
    taken += count
    if taken == head.count {
      head = []
      taken = 0
    }
    return count
  }
}
