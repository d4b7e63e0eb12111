#if FastDecoders
/// A coder's output that another one reads, which has to be as long as the header says.
final class SizedSource: ByteSource {
  private let source: any ByteSource
  private var rest: Int64

  init(_ source: any ByteSource, size: Int64) { (self.source, rest) = (source, size) }

  var progress: SourceProgress { source.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let count = try source.read(into: &buffer)
    rest -= Int64(count)
    guard rest >= 0, count > 0 || rest == 0 else {
      throw .corrupt("a coder of the folder gives \(rest < 0 ? "more" : "less") than the header says")
    }
    return count
  }
}
#endif
