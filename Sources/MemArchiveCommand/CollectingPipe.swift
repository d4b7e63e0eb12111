import CLinux
import Libc
import MemArchive
import SystemPackage

/// A pipe that a command writes to.
final class CollectingPipe {
  private enum Piece {
    case bytes([UInt8])
    case nothing
    case end
  }

  let stream: EntryCommand.Stream
  private let reading: Int32
  let writing: Int32
  private var isReading = true
  private var isWriting = true
  /// Bytes that a pipe holds, pipe(7).
  private static let capacity = 64 << 10

  init(for stream: EntryCommand.Stream) throws {
    var ends: [Int32] = [-1, -1]
    guard unsafe clinux_pipe(&ends) == 0, clinux_never_wait(ends[0]) == 0 else {
      Diagnostics.report("pipe: \(Errno(rawValue: Libc.errno)). Run fewer commands at once (--jobs).")
      throw ExitStatus.system
    }
    (self.stream, reading, writing) = (stream, ends[0], ends[1])
  }

  deinit {
    closeReading()
    closeWriting()
  }

  func closeReading() {
    if isReading { close(reading) }
    isReading = false
  }

  func closeWriting() {
    if isWriting { close(writing) }
    isWriting = false
  }

  private func read() -> Piece {
    var buffer = [UInt8](repeating: 0, count: Self.capacity)
    let count = unsafe Libc.read(reading, &buffer, buffer.count)
    if count > 0 { return .bytes(Array(buffer[..<count])) }
    return count < 0 && [EAGAIN, EINTR].contains(Libc.errno) ? .nothing : .end
  }

  /// Passes on what the command writes until it has ended.
  static func collect(
    _ pipes: [CollectingPipe], from process: pid_t,
    _ take: (EntryCommand.Stream, [UInt8]) throws(ExitStatus) -> Void
  ) throws(ExitStatus) {
    guard !pipes.isEmpty else { return }
    let ending = clinux_open_process(process)
    defer { if ending >= 0 { close(ending) } }
    var open = pipes
    // Without a descriptor of the process, the end of its streams has to do.
    while ending >= 0 || !open.isEmpty {
      var states = open.map { pollfd(fd: $0.reading, events: Int16(POLLIN), revents: 0) }
      if ending >= 0 { states.append(pollfd(fd: ending, events: Int16(POLLIN), revents: 0)) }
      guard unsafe poll(&states, nfds_t(states.count), -1) > 0 else { continue }
      let hasEnded = ending >= 0 && states[open.count].revents != 0
      var left: [CollectingPipe] = []
      for (pipe, state) in zip(open, states) {
        // What a pipe holds when the command has ended is all that it wrote; a descendant may go on for ever.
        if hasEnded {
          var rest = capacity
          while rest > 0, case .bytes(let bytes) = pipe.read() {
            rest -= bytes.count
            try take(pipe.stream, bytes)
          }
        } else if state.revents != 0 {
          let piece = pipe.read()
          if case .bytes(let bytes) = piece { try take(pipe.stream, bytes) }
          if case .end = piece { continue }
        }
        left.append(pipe)
      }
      if hasEnded { return }
      open = left
    }
  }
}
