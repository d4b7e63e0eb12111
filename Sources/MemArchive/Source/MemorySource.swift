internal import Synchronization

/// An archive that is in memory already: bytes of the caller, or a sealed MemFile, which alone may be mapped.
final class MemorySource: SeekableSource {
  private enum Storage {
    case bytes([UInt8])
    case file(MemFile)
  }

  private let storage: Storage
  private let cancellations: [Cancellation]
  let size: Int64
  var position: Int64 = 0
  private let bytesRead = Atomic<Int64>(0)

  /// - Parameter cancellations: Who can cancel is heard whenever something is read.
  init(_ bytes: [UInt8], cancellations: [Cancellation] = []) {
    storage = .bytes(bytes)
    self.cancellations = cancellations
    size = Int64(bytes.count)
  }

  init(_ file: MemFile, cancellations: [Cancellation] = []) {
    storage = .file(file)
    self.cancellations = cancellations
    size = Int64(file.size)
  }

  var progress: SourceProgress {
    SourceProgress(read: min(bytesRead.load(ordering: .relaxed), size), total: size)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    for cancellation in cancellations { try cancellation.check() }
    let count = Int(max(0, min(Int64(buffer.byteCount), size - offset)))
    guard count > 0 else { return 0 }
    let start = Int(offset)
    switch storage {
    case .bytes(let bytes): unsafe buffer.copy(bytes.span.bytes.extracting(start..<start + count))
    case .file(let file):
      _ = try file.withContent { buffer.copy($0.extracting(start..<start + count)) }
    }
    bytesRead.add(Int64(count), ordering: .relaxed)
    return count
  }
}

extension MutableRawSpan {
  /// Copies all of `bytes` to the front.
  @_lifetime(self: copy self)
  mutating func copy(_ bytes: RawSpan) {
    precondition(bytes.byteCount <= byteCount, "the source must fit")
    unsafe withUnsafeMutableBytes { target in
      unsafe bytes.withUnsafeBytes { source in unsafe target.copyMemory(from: source) }
    }
  }
}
