#if FastDecoders
/// A folder of a 7z that is being decoded, from its beginning to its end.
@safe final class FolderStream {
  let index: Int
  let isEncrypted: Bool
  /// Whether an entry was what its checksum says.
  var isVerified = false
  /// Where the next byte is in the folder.
  private(set) var position: Int64 = 0
  /// The decoder's, after which nothing follows.
  private(set) var failure: ArchiveError?
  private let decoder: any ByteSource
  private let size: Int64
  private var block: [UInt8] = []
  /// The bytes of `block` that are left.
  private var rest = 0..<0
  /// The bytes that are left of what the decoder lent.
  private var lent = unsafe UnsafeRawBufferPointer(start: nil, count: 0)

  /// Large enough for few calls, small enough to stay in the second-level cache.
  private static let blockSize: Int64 = 256 << 10

  init(_ decoder: any ByteSource, _ folder: SevenZipFolder, _ index: Int) {
    (self.decoder, self.index, size, isEncrypted) = (decoder, index, folder.size, folder.isEncrypted)
    block.grow(to: Int(min(Self.blockSize, max(1, size))))
  }

  var isAtEnd: Bool { position == size }

  /// Calls `body` with the next bytes, `count` at most.
  func take(upTo count: Int64, _ body: (RawSpan) throws(ArchiveError) -> Void) throws(ArchiveError) {
    if unsafe lent.isEmpty, rest.isEmpty, try !fill() {
      throw failing(.corrupt("the folder ends after \(position) of its \(size) bytes"))
    }
    if unsafe !lent.isEmpty {
      let part = unsafe lent.prefix(Int(min(count, Int64(lent.count))))
      unsafe lent = UnsafeRawBufferPointer(rebasing: lent.dropFirst(part.count))
      position += Int64(unsafe part.count)
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: part)
      try unsafe body(bytes.bytes)
    } else {
      let part = rest.prefix(Int(min(count, Int64(rest.count))))
      rest = part.upperBound..<rest.upperBound
      position += Int64(part.count)
      // A local reference, so that `body` may use the reader too.
      let block = block
      try body(unsafe block.span.bytes.extracting(part))
    }
  }

  /// Decodes and drops what precedes `offset`.
  func skip(to offset: Int64, _ cancellation: Cancellation) throws(ArchiveError) {
    while position < offset {
      try cancellation.check()
      try take(upTo: offset - position) { _ in }
    }
  }

  /// Throws if more follows the last byte; to be called there.
  func finish() throws(ArchiveError) {
    guard unsafe lent.isEmpty, rest.isEmpty, try !fill() else {
      throw failing(.corrupt("the folder has more than its \(size) bytes"))
    }
  }

  /// Decodes a block; false at the end.
  private func fill() throws(ArchiveError) -> Bool {
    if let failure { throw failure }
    do throws(ArchiveError) {
      if let bytes = unsafe try decoder.lend() {
        unsafe lent = bytes
        return unsafe !bytes.isEmpty
      }
      rest = 0..<(try decoder.read(into: &block))
      return !rest.isEmpty
    } catch {
      throw failing(error)
    }
  }

  private func failing(_ error: ArchiveError) -> ArchiveError {
    failure = error
    return error
  }
}
#endif
