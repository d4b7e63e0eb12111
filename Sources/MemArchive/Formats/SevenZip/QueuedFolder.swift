#if FastDecoders
/// The content of a folder that other threads decode before it is asked for.
final class QueuedFolder: ByteSource {
  /// A folder as a block without packed bytes: it reads them itself.
  final class Block: IndependentBlock, @unchecked Sendable {
    let index: Int
    let memory: Int
    /// Used only by the thread that decodes.
    fileprivate let decoder: any ByteSource

    init(_ decoder: any ByteSource, _ index: Int, memory: Int) {
      (self.decoder, self.index, self.memory) = (decoder, index, memory)
    }

    func decode(
      _: UnsafeRawBufferPointer, isAll _: Bool, into output: UnsafeMutableRawBufferPointer
    ) -> BlockStep {
      var bytes = unsafe output.mutableBytes
      do throws(ArchiveError) {
        let count = try decoder.read(into: &bytes)
        return BlockStep(used: 0, produced: count, status: count == 0 ? .ended : .goesOn)
      } catch {
        return BlockStep(used: 0, produced: 0, status: .failed(error))
      }
    }
  }

  private let queue: BlockQueue<Block>
  private let block: Block
  private var isAtEnd = false

  /// The folder of this index, after dropping those before it; nil if it is not queued.
  init?(_ index: Int, in queue: BlockQueue<Block>) {
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
