import Glibc
import MemArchive
import SystemPackage

/// The rival: a temporary file without a name, as programs make one today when only a real file will do.
final class TemporaryFile: FilledFile {
  /// How it is made, and where.
  enum Kind: Hashable {
    /// mkstemp(3) and unlink(2) in /tmp: the portable way.
    case named
    /// open(2) with O_TMPFILE in a directory.
    case unnamed(directory: String)
  }

  let fileDescriptor: FileDescriptor
  private(set) var size = 0

  init(_ kind: Kind) throws(Errno) {
    switch kind {
    case .named:
      var path = Array("/tmp/compare-XXXXXX".utf8CString)
      let number = unsafe mkstemp(&path)
      guard number >= 0 else { throw Errno(rawValue: errno) }
      fileDescriptor = FileDescriptor(rawValue: number)
      // From here on deinit closes it, also when this throws.
      guard unsafe unlink(path) == 0 else { throw Errno(rawValue: errno) }
    case .unnamed(let directory):
      // Glibc's module hides O_TMPFILE, which is __O_TMPFILE | O_DIRECTORY.
      let flags = 0o20000000 | O_DIRECTORY | O_CLOEXEC | O_RDWR
      let number = unsafe open(directory, flags, 0o600)
      guard number >= 0 else { throw Errno(rawValue: errno) }
      fileDescriptor = FileDescriptor(rawValue: number)
    }
  }

  deinit { Glibc.close(fileDescriptor.rawValue) }

  /// Takes the content of the stream's entry at hand, block by block.
  func fill(from stream: inout ArchiveStream) throws {
    var end: Int64 = 0
    var failure: Errno?
    let size = try stream.forEachBlock { block, offset in
      guard failure == nil else { return }
      do throws(Errno) {
        try write(block, at: offset)
        end = max(end, offset + Int64(block.byteCount))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    // As MemArchive does: only a hole at the end makes it necessary.
    if size != end, ftruncate(fileDescriptor.rawValue, off_t(size)) != 0 { throw Errno(rawValue: errno) }
    self.size = Int(size)
  }

  /// Reads it from its first byte to its last by position, pread(2).
  func fingerprint() throws -> Fingerprint {
    // One byte more than it has: a file that goes on behind its end is found out.
    var content = [UInt8](repeating: 0, count: size + 1)
    var count = 0
    while count < content.count {
      let read = try unsafe content.withUnsafeMutableBytes { buffer in
        try unsafe fileDescriptor.read(
          fromAbsoluteOffset: Int64(count), into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
      }
      guard read > 0 else { break }
      count += read
    }
    return Fingerprint(of: Array(content[..<count]))
  }

  private func write(_ block: RawSpan, at offset: Int64) throws(Errno) {
    var written = 0
    while written < block.byteCount {
      let rest = block.extracting(written..<block.byteCount)
      let count = unsafe rest.withUnsafeBytes {
        unsafe pwrite(fileDescriptor.rawValue, $0.baseAddress, $0.count, off_t(offset) + off_t(written))
      }
      guard count >= 0 else { throw Errno(rawValue: errno) }
      written += count
    }
  }
}
