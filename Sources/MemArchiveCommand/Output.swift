import Glibc
import MemArchive
import Synchronization
import SystemPackage

/// Standard output, written in large pieces. A failed write ends the program: nothing it says would arrive.
enum Output {
  private static let pending = Mutex<[UInt8]>([])

  static func write(_ text: String) { write(Array(text.utf8)) }

  static func write(_ bytes: [UInt8]) {
    let isFull = pending.withLock { pending in
      pending.append(contentsOf: bytes)
      return pending.count >= 64 << 10
    }
    if isFull { flush() }
  }

  /// Writes a file's content past the buffer.
  static func write(_ file: MemFile) throws {
    flush()
    try unsafe file.forEachChunk { unsafe writeAll($0) }
  }

  static func flush() {
    let bytes = pending.withLock { pending in
      defer { pending.removeAll(keepingCapacity: true) }
      return pending
    }
    unsafe bytes.withUnsafeBytes { unsafe writeAll($0) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer) {
    do {
      unsafe try FileDescriptor.standardOutput.writeAll(bytes)
    } catch {
      Diagnostics.tell("memarchive: cannot write to standard output: \(error)")
      leave(.system)
    }
  }
}

/// What is said to a person, on standard error.
enum Diagnostics {
  private static let reported = Mutex<Set<String>>([])

  /// One line; a name with a newline in it must not begin another.
  static func report(_ text: String) {
    write(
      "memarchive: " + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n"))
  }

  /// As `report`, unless the same was said before: one damage can be met on several ways.
  static func reportOnce(_ text: String) {
    if reported.withLock({ $0.insert(text).inserted }) { report(text) }
  }

  static func write(_ text: String) {
    Output.flush()
    tell(text)
  }

  /// As `write`, and what waits for standard output goes on waiting.
  fileprivate static func tell(_ text: String) {
    ProgressBar.clear()
    // Names appear in errors and may be anything: their bytes, but no control characters for the terminal.
    let line = ArchiveEntry.rawName(of: text).map {
      $0 < 0x20 && $0 != 0x0A || $0 == 0x7F ? UInt8(ascii: "?") : $0
    }
    // Nothing is left to say where standard error itself fails.
    _ = try? FileDescriptor.standardError.writeAll(line + [0x0A])
  }
}

/// How names stand in lines: as sha256sum(1) writes them.
enum NameText {
  /// The name's raw bytes with backslash, newline and carriage return escaped; whether any was.
  static func escaped(_ name: String) -> (bytes: [UInt8], isEscaped: Bool) {
    var bytes: [UInt8] = []
    var isEscaped = false
    for byte in ArchiveEntry.rawName(of: name) {
      switch byte {
      case UInt8(ascii: "\\"): bytes += Array("\\\\".utf8)
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      default:
        bytes.append(byte)
        continue
      }
      isEscaped = true
    }
    return (bytes, isEscaped)
  }
}
