#if FastDecoders
internal import CLZMA

/// One block of an xz stream (The .xz File Format, 3) and its decoder, which verifies the block's check.
@safe final class XZBlock: IndependentBlock, @unchecked Sendable {
  /// The sizes of its content and of the packed bytes after its header, if the header states both.
  let sizes: (content: Int, packed: Int)?
  /// Bytes of memory that decoding takes besides packed bytes and content.
  let memory: Int
  private let block: UnsafeMutablePointer<clzma_block>

  enum Failure: Error { case status(lzma_ret) }

  /// - Parameter header: The block's complete header.
  init(header: RawSpan, check: lzma_check) throws(Failure) {
    var status = LZMA_OK
    let block = unsafe header.withUnsafeBytes { header in
      unsafe clzma_create_block(
        header.baseAddress?.assumingMemoryBound(to: UInt8.self), check, Filter.mostMemory, &status)
    }
    guard let block = unsafe block else { throw .status(status) }
    unsafe self.block = block
    memory = Int(unsafe block.pointee.memory)
    guard unsafe clzma_has_sizes(block) != 0 else {
      sizes = nil
      return
    }
    let (content, packed) = unsafe (
      Int(exactly: block.pointee.block.uncompressed_size), Int(exactly: clzma_packed_size(block))
    )
    sizes = if let content, let packed { (content, packed) } else { nil }
  }

  /// The block whose header comes next (3.1).
  convenience init(_ input: inout InputBuffer, check: lzma_check) throws(ArchiveError) {
    guard try input.has(1) else { throw .lzma(LZMA_BUF_ERROR, .xz) }
    // lzma_block_header_size_decode().
    let size = (Int(input[0]) + 1) * 4
    guard try input.has(size) else { throw .lzma(LZMA_BUF_ERROR, .xz) }
    // What is copied here is at most a kilobyte.
    let header = input.withBytes(size) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    do throws(Failure) { try unsafe self.init(header: header.span.bytes, check: check) } catch {
      switch error {
      case .status(let status): throw .lzma(status, .xz)
      }
    }
    input.drop(size)
  }

  deinit { unsafe clzma_destroy_block(block) }

  /// `ended` once the block's check has been verified.
  func decode(
    _ packed: UnsafeRawBufferPointer, isAll: Bool, into output: UnsafeMutableRawBufferPointer
  ) -> BlockStep {
    var (left, free) = (packed.count, output.count)
    let status = unsafe clzma_decode(
      block, packed.baseAddress?.assumingMemoryBound(to: UInt8.self), &left,
      output.baseAddress?.assumingMemoryBound(to: UInt8.self), &free, isAll ? 1 : 0)
    let result: BlockStep.Status =
      switch status {
      case LZMA_OK: .goesOn
      case LZMA_STREAM_END: .ended
      // liblzma reports an error if it is twice given nothing to do, which is not an error before the end.
      case LZMA_BUF_ERROR where !isAll: .starved
      default: .failed(.lzma(status, .xz))
      }
    return BlockStep(used: packed.count - left, produced: output.count - free, status: result)
  }

  /// Decodes what comes next, and drops from the input what it took.
  func decode(
    from input: inout InputBuffer, into buffer: inout MutableRawSpan
  ) throws(ArchiveError) -> BlockStep {
    let hasInput = try input.has(1)
    let step = unsafe buffer.withUnsafeMutableBytes { output in
      input.withBytes { bytes in
        unsafe bytes.withUnsafeBytes { unsafe decode($0, isAll: !hasInput, into: output) }
      }
    }
    input.drop(step.used)
    return step
  }

  /// Records the sizes of a block that has ended, for comparison with the stream's index (4.3).
  func append(to index: OpaquePointer) -> lzma_ret {
    unsafe lzma_index_hash_append(
      index, clzma_unpadded_size(block), block.pointee.block.uncompressed_size)
  }
}
#endif
