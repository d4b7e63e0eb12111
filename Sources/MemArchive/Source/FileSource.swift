internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A regular file or block device, read by position: the descriptor's own offset is neither used nor moved.
/// It is never mapped, because somebody else may truncate it (SIGBUS).
final class FileSource: SeekableSource {
  private let descriptor: FileDescriptor
  private let isOwned: Bool
  private let cancellations: [Cancellation]
  let size: Int64
  var position: Int64 = 0
  private let bytesRead = Atomic<Int64>(0)

  /// Takes over `descriptor` when `isOwned`.
  /// - Parameter cancellations: Who can cancel is heard whenever something is read.
  init(_ descriptor: FileDescriptor, size: Int64, isOwned: Bool, cancellations: [Cancellation] = []) {
    self.descriptor = descriptor
    self.cancellations = cancellations
    self.size = size
    self.isOwned = isOwned
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
}

/// A pipe, socket or terminal: read once, from where it stands.
final class PipeSource: ByteSource {
  private let descriptor: FileDescriptor
  private let isOwned: Bool
  private let cancellations: [Cancellation]
  private let waits: Bool
  private var bytesRead: Int64 = 0

  /// Takes over `descriptor` when `isOwned`.
  /// - Parameter waits: Whether it is waited for input with poll(2), which hears who cancels; otherwise with read(2).
  init(_ descriptor: FileDescriptor, isOwned: Bool, cancellations: [Cancellation], waits: Bool = true) {
    self.waits = waits
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
      if waits { guard try isReady() else { continue } }
      do throws(Errno) {
        let count = try SystemCalls.read(descriptor, at: nil, into: &buffer)
        bytesRead += Int64(count)
        return count
      } catch .wouldBlock where waits {
        // Somebody else who reads it was quicker.
        continue
      } catch {
        throw .system("read", error, doing: "reading the archive")
      }
    }
  }

  /// A pipe may stall for ever: whoever can cancel is heard ten times a second.
  private func isReady() throws(ArchiveError) -> Bool {
    do throws(Errno) {
      return try SystemCalls.waitForInput(descriptor, milliseconds: cancellations.isEmpty ? -1 : 100)
    } catch {
      throw .system("poll", error, doing: "reading the archive")
    }
  }
}
