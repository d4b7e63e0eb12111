#if FastDecoders
/// The content of a folder that other threads decode before it is asked for.
final class QueuedFolder: ByteSource {
  private let queue: BlockQueue<SourceBlock>
  private let block: SourceBlock
  private var isAtEnd = false

  /// The folder of this index, after dropping those before it; nil if it is not queued.
  init?(_ index: Int, in queue: BlockQueue<SourceBlock>) {
    while let first = queue.first, first.index < index { queue.removeFirst() }
    guard let first = queue.first, first.index == index else { return nil }
    (self.queue, block) = (queue, first)
  }

  var progress: SourceProgress { block.decoder.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while !isAtEnd {
      switch queue.takeFirst(into: &buffer) {
      case .bytes(let count): return count
      case .nothingYet: queue.awaitFirst()
      case .ended: isAtEnd = true
      case .failed(let error): throw error
      }
    }
    return 0
  }
}
#endif
