internal import CLinux
internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// An archive whose bytes a caller's sequence produces, one chunk after another.
struct ChunkFeed: Sendable {
  /// The archive's file name, if it is known.
  let name: String?
  private let produce: @Sendable (ChunkWriter) async throws -> Void

  init<Chunks: AsyncSequence & Sendable>(_ chunks: Chunks, name: String?)
  where Chunks.Element: Sequence<UInt8> {
    self.name = name
    produce = { writer in for try await chunk in chunks { try await writer.write(chunk) } }
  }

  /// Starts a task that writes the chunks to a pipe, no further ahead of its reader than the pipe holds.
  ///
  /// Where the sequence throws, the pipe does not end, because its reader could take that for the archive's end: the
  /// extraction ends with the error.
  ///
  /// - Returns: The end to read from, which the caller owns, and what ends the task when it is released.
  func start(_ cancellations: [Cancellation]) throws(ArchiveError) -> (FileDescriptor, ChunkTask) {
    var ends: (CInt, CInt) = (-1, -1)
    do throws(Errno) {
      ends = try SystemCalls.pipe()
      _ = try SystemCalls.valueOrErrno { clinux_never_wait(ends.1) }
    } catch {
      for end in [ends.0, ends.1] where end >= 0 { SystemCalls.close(FileDescriptor(rawValue: end)) }
      throw .system("pipe", error, doing: "reading an archive as it arrives")
    }
    let writer = ChunkWriter(FileDescriptor(rawValue: ends.1))
    let task = Task { [produce] in
      do {
        try await produce(writer)
      } catch is ReaderGone {
      } catch  where Task.isCancelled {
      } catch {
        for cancellation in cancellations {
          cancellation.fail(with: error as? ArchiveError ?? .sourceFailed("\(error)"))
        }
        // Until the reader is gone.
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
      }
      // The task, which its reader holds, may keep what it was given.
      writer.close()
    }
    return (FileDescriptor(rawValue: ends.0), ChunkTask(task))
  }
}

/// A task that produces an archive; cancelled when this is released.
final class ChunkTask: Sendable {
  private let task: Task<Void, Never>
  init(_ task: Task<Void, Never>) { self.task = task }
  deinit { task.cancel() }
}

/// Nobody reads any more.
private struct ReaderGone: Error {}

/// The end of a pipe that chunks are written to.
final class ChunkWriter: Sendable {
  private let descriptor: FileDescriptor
  private let room: PipeRoom
  private let isClosed = Atomic(false)

  /// Takes over the descriptor, which never waits.
  init(_ descriptor: FileDescriptor) {
    self.descriptor = descriptor
    room = PipeRoom(descriptor)
  }

  deinit { close() }

  /// Ends the pipe; nothing may be written afterwards.
  func close() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    room.end()
    SystemCalls.close(descriptor)
  }

  /// Writes a whole chunk. Suspends while the pipe is full.
  func write(_ chunk: some Sequence<UInt8>) async throws {
    var written = 0
    while true {
      try Task.checkCancellation()
      let step = try chunk.withContiguousStorageIfAvailable { bytes in
        let rest = unsafe UnsafeBufferPointer(rebasing: bytes[written...])
        return unsafe (count: try write(UnsafeRawBufferPointer(rest).bytes), left: rest.count)
      }
      // It does not lie in one piece.
      guard let step else { return try await write(Array(chunk)) }
      written += step.count
      if step.count == step.left { return }
      if step.count == 0 { try await room.wait() }
    }
  }

  /// Writes the first bytes, as many as the pipe takes at once, and returns their number.
  private func write(_ bytes: RawSpan) throws -> Int {
    guard bytes.byteCount > 0 else { return 0 }
    do throws(Errno) {
      return try SystemCalls.writeQuietly(bytes, to: descriptor)
    } catch .wouldBlock {
      return 0
    } catch .brokenPipe {
      throw ReaderGone()
    }
  }
}

/// Waits, on a thread of its own, until a pipe takes more: no thread that tasks share is blocked.
private final class PipeRoom: @unchecked Sendable {
  private let descriptor: FileDescriptor
  private let monitor = ConditionLock()
  // Used only inside `monitor.locked`.
  private var waiter: CheckedContinuation<Void, Never>?
  private var isStarted = false
  private var isEnded = false

  init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

  /// Returns when there may be room, nobody reads any more or the task is cancelled.
  func wait() async throws {
    if !monitor.locked({ isStarted }) {
      try JoinableThread.start { [self] in serve() }.detach()
      monitor.locked { isStarted = true }
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        monitor.locked {
          waiter = continuation
          monitor.notifyAll()
        }
      }
    } onCancel: {
      take()?.resume()
    }
  }

  /// Lets the thread end.
  func end() {
    monitor.locked {
      isEnded = true
      monitor.notifyAll()
    }
  }

  private func take() -> CheckedContinuation<Void, Never>? { monitor.locked { waiter.take() } }

  private func serve() {
    while true {
      let isEnded = monitor.locked {
        while waiter == nil, !self.isEnded { monitor.wait() }
        return self.isEnded
      }
      if isEnded { return }
      // Now and then the task finds out whether it was cancelled.
      _ = try? SystemCalls.wait(for: Int32(POLLOUT), on: descriptor, milliseconds: 100)
      take()?.resume()
    }
  }
}
