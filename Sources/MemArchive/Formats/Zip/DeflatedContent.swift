/// The inflated content of a zip's deflated entry, which has to end where its compressed bytes do, if that is known. Reused for
/// one entry after another.
final class DeflatedContent: ByteSource {
  private let source: SharedSource
  private let inflater: RawInflater
  private var content = ZipContent(deflatedAt: 0)
  private var input: [UInt8] = []
  /// Bytes read and not inflated yet.
  private var rest = 0..<0
  private var taken: UInt64 = 0
  /// The number of compressed bytes that were inflated.
  private(set) var used: Int64 = 0
  private var isAtEnd = true
  private var failure: ArchiveError?

  init(_ source: SharedSource) throws(ArchiveError) {
    self.source = source
    inflater = try RawInflater()
  }

  var progress: SourceProgress { SourceProgress(read: used, total: Int64(clamping: content.compressedSize)) }

  func begin(_ content: ZipContent) {
    inflater.reset()
    self.content = content
    (rest, taken, used, isAtEnd, failure) = (0..<0, 0, 0, false, nil)
    ZipContentReader.reserve(content.compressedSize, in: &input)
  }

  /// Returns content that precedes a failure first.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let compressedSize = content.compressedSize
    while !isAtEnd {
      if let failure { throw failure }
      if rest.isEmpty, taken < compressedSize {
        let count = try nextInput()
        taken += UInt64(count)
        rest = 0..<count
      }
      // A local reference, because exclusive access to the span must not extend to the whole object.
      let input = input
      let step = try unsafe inflater.inflate(input.span.bytes.extracting(rest), into: &buffer)
      used += Int64(step.used)
      if let damage = step.damage {
        failure = .corrupt("the deflate stream is damaged: \(damage)", call: "inflate")
      } else if step.isLast {
        isAtEnd = content.endsByItself || used == Int64(compressedSize)
        if !isAtEnd { failure = .corrupt("the deflate stream ends before its \(compressedSize) bytes do") }
      } else {
        rest = (rest.lowerBound + step.used)..<rest.upperBound
        if step.used == 0, step.produced == 0, taken == compressedSize {
          failure = .corrupt("the deflate stream continues after its \(compressedSize) bytes")
        }
      }
      if step.produced > 0 { return step.produced }
    }
    return 0
  }

  /// Reads more compressed bytes, no further than to the end of the content, or what is there where that is unknown.
  private func nextInput() throws(ArchiveError) -> Int {
    let offset = content.start + Int64(taken)
    guard content.endsByItself else {
      return try source.fill(&input, upTo: content.compressedSize - taken, at: offset)
    }
    let count = try source.readSome(into: &input, at: offset)
    guard count > 0 else { throw .truncated("the archive ends inside a deflate stream") }
    return count
  }
}
