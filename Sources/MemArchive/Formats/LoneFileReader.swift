/// The only entry of a compressed file that is not an archive.
final class LoneFileReader: EntryParser {
  private let content: any ByteSource
  private let header: Header
  private var isRead = false
  private(set) var isExhausted = false

  /// Large enough to make system calls rare, small enough to stay in the second-level cache.
  private static let blockSize = 256 << 10

  init(_ chain: FilterChain) {
    content = chain.content
    header = Header(
      ownName: chain.contentName, kind: .file, size: chain.head.isEmpty ? 0 : nil,
      modified: chain.contentTime, mode: nil, comment: chain.contentComment)
  }

  func nextHeader() -> Header? {
    defer { isRead = true }
    return isRead ? nil : header
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    var block: [UInt8] = []
    var end: Int64 = 0
    while true {
      if let lent = unsafe try reading({ () throws(ArchiveError) in unsafe try content.lend() }) {
        guard unsafe !lent.isEmpty else { return end }
        try body(unsafe lent.bytes, end)
        end += Int64(lent.count)
      } else {
        block.grow(to: Self.blockSize)
        let count = try reading { () throws(ArchiveError) in try content.read(into: &block) }
        guard count > 0 else { return end }
        try body(unsafe block.span.bytes.extracting(0..<count), end)
        end += Int64(count)
      }
    }
  }

  /// After an error of the source there is nothing left to read.
  private func reading<Result>(_ body: () throws(ArchiveError) -> Result) throws(ArchiveError) -> Result {
    do throws(ArchiveError) { return try body() } catch {
      isExhausted = true
      throw error
    }
  }
}
