internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A regular file or block device, read by position: the descriptor's own offset is neither used nor moved.
/// It is never mapped, because another process may truncate it (SIGBUS).
final class FileSource: SeekableSource {
  private let descriptor: FileDescriptor
  private let isOwned: Bool
  private let cancellations: [Cancellation]
  let size: Int64
  var position: Int64 = 0
  private let bytesRead = Atomic<Int64>(0)

  /// Takes over `descriptor` when `isOwned`.
  /// - Parameter cancellations: Checked on each read.
  init(_ descriptor: FileDescriptor, size: Int64, isOwned: Bool, cancellations: [Cancellation] = []) {
    self.descriptor = descriptor
    self.cancellations = cancellations
    self.size = size
    self.isOwned = isOwned
  }

  /// A file of this many bytes is read once: for a small zip, the system calls for its parts would take longer than the rest.
  private static let small: Int64 = 64 << 10

  /// The file, or what is in it where that is little.
  static func open(
    _ descriptor: FileDescriptor, size: Int64, isOwned: Bool, cancellations: [Cancellation]
  ) throws(ArchiveError) -> any SeekableSource {
    let file = FileSource(descriptor, size: size, isOwned: isOwned, cancellations: cancellations)
    guard size <= small else { return file }
    return MemorySource(try file.bytes(Int(size), at: 0), cancellations: cancellations)
  }

  deinit {
    if isOwned { SystemCalls.close(descriptor) }
  }

  var progress: SourceProgress {
    SourceProgress(read: min(bytesRead.load(ordering: .relaxed), size), total: size)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    for cancellation in cancellations { try cancellation.check() }
    let count: Int
    do {
      count = try SystemCalls.read(descriptor, at: offset, into: &buffer)
    } catch {
      throw .system("pread", error, doing: "reading the archive")
    }
    guard count > 0 || offset >= size else {
      throw .truncated("the archive has become shorter while it was read")
    }
    bytesRead.add(Int64(count), ordering: .relaxed)
    return count
  }

  func send(at offset: Int64, _ most: Int, to slab: inout SlabWriter) throws(ArchiveError) -> Int? {
    // A worker may not call it.
    guard PrestartedThreads.current == nil else { return nil }
    for cancellation in cancellations { try cancellation.check() }
    guard let count = try? slab.extend(from: descriptor, at: offset, most: most), count > 0 else {
      return nil
    }
    bytesRead.add(Int64(count), ordering: .relaxed)
    return count
  }
}

/// A pipe, socket or terminal: read once, from its current position.
final class PipeSource: ByteSource {
  private let descriptor: FileDescriptor
  private let isOwned: Bool
  private let cancellations: [Cancellation]
  private let waits: Bool
  /// What writes to the other end, until this is released.
  private let feeder: ChunkTask?
  private var bytesRead: Int64 = 0

  /// Takes over `descriptor` when `isOwned`.
  /// - Parameter waits: Whether to wait for input with poll(2), so that cancellation takes effect; otherwise read(2) blocks.
  init(
    _ descriptor: FileDescriptor, isOwned: Bool, cancellations: [Cancellation], waits: Bool = true,
    fedBy feeder: ChunkTask? = nil
  ) {
    self.waits = waits
    self.feeder = feeder
    self.descriptor = descriptor
    self.isOwned = isOwned
    self.cancellations = cancellations
  }

  deinit {
    if isOwned { SystemCalls.close(descriptor) }
  }

  var progress: SourceProgress { SourceProgress(read: bytesRead, total: nil) }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while true {
      for cancellation in cancellations { try cancellation.check() }
      IdleHook.begin()
      // A pipe may stall forever, so cancellation is checked ten times a second.
      if waits { guard try isReady(milliseconds: cancellations.isEmpty ? -1 : 100) else { continue } }
      do throws(Errno) {
        let count = try SystemCalls.read(descriptor, at: nil, into: &buffer)
        bytesRead += Int64(count)
        return count
      } catch .wouldBlock where waits {
        // Another reader was faster.
        continue
      } catch {
        throw .system("read", error, doing: "reading the archive")
      }
    }
  }

  func waitForInput(milliseconds: Int32) throws(ArchiveError) -> Bool {
    if milliseconds != 0 { IdleHook.begin() }
    return try isReady(milliseconds: milliseconds)
  }

  private func isReady(milliseconds: Int32) throws(ArchiveError) -> Bool {
    do throws(Errno) {
      return try SystemCalls.waitForInput(descriptor, milliseconds: milliseconds)
    } catch {
      throw .system("poll", error, doing: "reading the archive")
    }
  }
}

/// Several files read as one: the volumes of a rar, the parts of a split file.
final class SplitSource: SeekableSource {
  private let parts: [any SeekableSource]
  /// Where each part begins.
  private let starts: [Int64]
  let size: Int64
  var position: Int64 = 0

  init(_ parts: [any SeekableSource]) {
    self.parts = parts
    var start: Int64 = 0
    starts = parts.map { part in
      defer { start += part.size }
      return start
    }
    size = start
  }

  var progress: SourceProgress {
    SourceProgress(read: min(size, parts.reduce(0) { $0 + $1.progress.read }), total: size)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    // Empty parts are skipped; a part that has shrunk ends the reading.
    guard let index = parts.indices.last(where: { starts[$0] <= offset && parts[$0].size > 0 }),
      offset < size
    else { return 0 }
    return try parts[index].read(at: offset - starts[index], into: &buffer)
  }
}
