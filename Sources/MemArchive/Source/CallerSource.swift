/// An archive that a caller's function reads, in order.
package final class CallerSource: ByteSource {
  /// Fills the front of a buffer with what is at an offset; the number of bytes, 0 only at the end.
  package typealias Read = (Int64, inout MutableRawSpan) throws(ArchiveError) -> Int

  private let size: Int64?
  private let cancellation: Cancellation
  private let body: Read
  private var position: Int64 = 0

  init(size: Int64?, _ cancellation: Cancellation, _ body: @escaping Read) {
    (self.size, self.cancellation, self.body) = (size, cancellation, body)
  }

  var progress: SourceProgress { SourceProgress(read: position, total: size) }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    try cancellation.check()
    let wanted = Int(min(Int64(buffer.byteCount), size.map { $0 - position } ?? .max))
    guard wanted > 0 else { return 0 }
    var free = buffer._mutatingExtracting(..<wanted)
    let count = try body(position, &free)
    guard count > 0 || size == nil else {
      throw .truncated("the source ends after \(position) of \(size ?? 0) bytes")
    }
    position += Int64(count)
    return count
  }
}
