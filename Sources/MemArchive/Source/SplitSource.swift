/// Several files that are one archive, read as if they were joined: the volumes of a rar, the parts of a split file.
final class SplitSource: SeekableSource {
  private let parts: [any SeekableSource]
  /// Where each part begins.
  private let starts: [Int64]
  let size: Int64
  var position: Int64 = 0

  init(_ parts: [any SeekableSource]) {
    self.parts = parts
    var start: Int64 = 0
    starts = parts.map { part in
      defer { start += part.size }
      return start
    }
    size = start
  }

  var progress: SourceProgress {
    SourceProgress(read: min(size, parts.reduce(0) { $0 + $1.progress.read }), total: size)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    // Parts without a byte are passed over, and one that has shrunk meanwhile ends the reading.
    guard let index = parts.indices.last(where: { starts[$0] <= offset && parts[$0].size > 0 }),
      offset < size
    else { return 0 }
    return try parts[index].read(at: offset - starts[index], into: &buffer)
  }
}
