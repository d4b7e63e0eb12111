import MemArchive
import SystemPackage

extension MemFile {
  /// Calls `body` with the content, piece by piece. Read and not mapped: a hole that is read through a mapping takes
  /// memory, and some archives hold little else. A packed file is mapped already.
  func forEachChunk(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    if isPacked { return try withBytes { bytes in try unsafe bytes.withUnsafeBytes { try unsafe body($0) } } }
    let descriptor = try fileDescriptor
    try withExtendedLifetime(self) {
      var buffer = [UInt8](repeating: 0, count: min(256 << 10, max(size, 1)))
      var offset: Int64 = 0
      while offset < size {
        let count = try unsafe buffer.withUnsafeMutableBytes {
          try unsafe descriptor.read(fromAbsoluteOffset: offset, into: $0)
        }
        guard count > 0 else { break }
        try unsafe buffer.withUnsafeBytes { try unsafe body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        offset += Int64(count)
      }
    }
  }
}
