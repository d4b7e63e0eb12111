/// Content that a source of its own decodes, as a block without packed bytes: it reads them itself.
final class SourceBlock: IndependentBlock, @unchecked Sendable {
  let index: Int
  let memory: Int
  /// Used only by the thread that decodes.
  let decoder: any ByteSource

  /// - Parameter index: Its place among all blocks.
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
