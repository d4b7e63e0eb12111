/// A part of a seekable source, from its first byte to its last.
final class PackedStream: ByteSource {
  private let source: any SeekableSource
  private var rest: Range<Int64>

  init(_ source: any SeekableSource, _ range: Range<Int64>) { (self.source, rest) = (source, range) }

  var progress: SourceProgress { source.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let count = Int(min(Int64(buffer.byteCount), Int64(rest.count)))
    guard count > 0 else { return 0 }
    var front = buffer._mutatingExtracting(0..<count)
    let read = try source.read(at: rest.lowerBound, into: &front)
    guard read > 0 else { throw .truncated("the archive has become shorter while it was read") }
    rest = rest.lowerBound + Int64(read)..<rest.upperBound
    return read
  }
}
