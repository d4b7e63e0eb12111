#if FastDecoders
/// Decodes one raw deflate stream (RFC 1951), which has to end where its source does.
final class InflateDecoder: ByteSource {
  private let inflater: RawInflater
  private var input: InputBuffer
  private var isAtEnd = false
  private var failure: ArchiveError?

  init(_ upstream: any ByteSource) throws(ArchiveError) {
    inflater = try RawInflater()
    inflater.reset()
    input = InputBuffer(upstream, kept: RawInflater.largestReturn)
  }

  var progress: SourceProgress { input.progress }

  /// Returns content that precedes a failure first.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while !isAtEnd {
      if let failure { throw failure }
      let hasInput = try input.has(1)
      let step = try input.withBytes { bytes throws(ArchiveError) in
        try inflater.inflate(bytes, into: &buffer)
      }
      input.drop(step.used)
      if let damage = step.damage {
        failure = .corrupt("the deflate stream is damaged: \(damage)", call: "inflate")
      } else if step.isLast {
        isAtEnd = try !input.has(1)
        if !isAtEnd { failure = .corrupt("the deflate stream ends before its data does") }
      } else if !hasInput, step.produced == 0 {
        failure = .truncated("the deflate stream ends too early", call: "inflate")
      }
      if step.produced > 0 { return step.produced }
    }
    return 0
  }
}
#endif
