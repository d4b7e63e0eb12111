import CLinux
import Libc

/// SIGINT, SIGTERM and SIGHUP for a command that ends in order: the first is told, the second ends the program.
enum StopSignal {
  static let signals = [SIGINT, SIGTERM, SIGHUP]
  // Set before any handler is; what is told is a byte, the signal's number.
  nonisolated(unsafe) private static var reading: Int32 = -1
  nonisolated(unsafe) private static var writing: Int32 = -1
  /// A bit for each signal that was taken.
  nonisolated(unsafe) private static var taken: UInt32 = 0

  /// Takes the signals from here on, but for those that whoever started the program has ignored. Without a descriptor left they
  /// end the program as they end others.
  static func take() {
    var ends: [Int32] = [-1, -1]
    guard unsafe clinux_pipe(&ends) == 0 else { return }
    unsafe (reading, writing) = (ends[0], ends[1])
    for number in signals {
      let before = signal(number) { number in
        StopSignal.restore()
        StopSignal.tell(UInt8(truncatingIfNeeded: number))
      }
      let isIgnored = unsafe unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
      if isIgnored { _ = signal(number, SIG_IGN) } else { unsafe taken |= 1 << UInt32(number) }
    }
  }

  /// The next signal of any kind ends the program. Called by a handler.
  private static func restore() {
    var number: Int32 = 1
    while number < 32 {
      if unsafe taken & (1 << UInt32(number)) != 0 { _ = signal(number, SIG_DFL) }
      number += 1
    }
  }

  /// Waits for a signal; nil once `endWaiting` was called.
  static func wait() -> Int32? {
    var byte: UInt8 = 0
    while unsafe read(reading, &byte, 1) < 0 && errno == EINTR {}
    return byte == 0 ? nil : Int32(byte)
  }

  static func endWaiting() { tell(0) }

  /// Ends the program by a signal, as if it had not been taken.
  static func end(by number: Int32) {
    _ = signal(number, SIG_DFL)
    raise(number)
  }

  private static func tell(_ byte: UInt8) {
    var byte = byte
    // Safe in a handler, signal-safety(7), which has to leave errno as it is.
    let error = errno
    _ = unsafe write(writing, &byte, 1)
    errno = error
  }
}
