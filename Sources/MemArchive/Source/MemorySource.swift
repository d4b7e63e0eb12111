internal import Synchronization

/// An archive that is already in memory: the caller's bytes, or a sealed MemFile, the only kind of file that may be mapped.
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

  /// - Parameter cancellations: Checked on each read.
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

/// A zip or 7z from a pipe or inside compression, read into memory as a whole first: only the end of a zip says what is a
/// symlink, what was deleted and where the entries are. A zip is not where `ArrivingZipReader` reads it.
enum Spool {
  /// Reads all of `source` into a sealed file in memory, within the limits.
  static func seekable(_ source: any ByteSource, ledger: Ledger) throws(ArchiveError) -> MemorySource {
    let name = "the archive itself"
    return MemorySource(MemFile(try memory(source, name: name, ledger: ledger), name: name, entry: nil))
  }

  /// Reads all of `source` into a sealed file in memory.
  static func memory(
    _ source: any ByteSource, name: String, ledger: Ledger
  ) throws(ArchiveError) -> FileMemory {
    let factory = MemFileFactory(ExtractionOptions { $0.storage = .dedicated }, ledger: ledger)
    var region = try Region.create(factory, name: name, declaredSize: source.seekable?.size)
    var size: Int64 = 0
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = try source.read(into: &buffer)
      guard count > 0 else { break }
      try unsafe region.write(buffer.span.bytes.extracting(0..<count), at: size)
      size += Int64(count)
    }
    return try region.seal(size: size)
  }
}
