internal import SealedMemory

/// A stretch of an archive's content as it comes, headers and all, in a slab that was sealed before it is parsed: an entry whose
/// content is to be packed is a range of it.
final class StreamSlab: Sendable {
  /// Upper bound of its size in bytes. Reading ahead holds a few, and a file that survives its neighbors keeps one.
  static let capacity = 4 << 20
  /// Where one begins in a stream is a multiple of this: numbers in content keep the alignment that the archive gives them.
  static let alignment: Int64 = 512

  /// The bytes of the stream in it.
  let range: Range<Int64>
  let sealed: SealedSlab
  private let charge: ReadAheadCharge

  init(
    _ writer: consuming SlabWriter, at start: Int64, _ charge: consuming ReadAheadCharge,
    keepsDescriptor: Bool
  ) throws(ArchiveError) {
    range = start..<start + Int64(writer.count)
    do throws(MemoryError) { sealed = try writer.finish(keepsDescriptor: keepsDescriptor) } catch {
      throw ArchiveError(error)
    }
    self.charge = charge
  }

  /// Its bytes, valid as long as it.
  var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: sealed.bytes[..<range.count])
  }

  /// Where in it a part of the stream is; nil where some of that is not.
  func place(of part: Range<Int64>) -> Range<Int>? {
    guard range.lowerBound <= part.lowerBound, part.upperBound <= range.upperBound else { return nil }
    return Int(part.lowerBound - range.lowerBound)..<Int(part.upperBound - range.lowerBound)
  }
}
