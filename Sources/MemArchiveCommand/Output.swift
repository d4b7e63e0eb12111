import Glibc
import MemArchive
import Synchronization
import SystemPackage

/// Standard output, written in large pieces. A failed write ends the program, since nothing it says would arrive: by an error,
/// so that no worker is left at work.
enum Output {
  private static let pending = Mutex<[UInt8]>([])
  private static let failed = Mutex<ExitStatus?>(nil)
  /// Whether a person reads it as it comes.
  static let isTerminal = isatty(STDOUT_FILENO) == 1

  /// How the program ends once something could not be written.
  static var failure: ExitStatus? { failed.withLock { $0 } }

  static func write(_ text: String) throws(ExitStatus) { try write(Array(text.utf8)) }

  static func write(_ bytes: [UInt8]) throws(ExitStatus) {
    let isFull = pending.withLock { pending in
      pending.append(contentsOf: bytes)
      return pending.count >= 64 << 10
    }
    if isFull { try flush() }
  }

  /// Writes a file's content past the buffer.
  static func write(_ file: MemFile) throws {
    try flush()
    try unsafe file.forEachChunk { try unsafe writeAll($0) }
  }

  static func flush() throws(ExitStatus) {
    let bytes = pending.withLock { pending in
      defer { pending.removeAll(keepingCapacity: true) }
      return pending
    }
    try unsafe bytes.span.bytes.withUnsafeBytes { bytes throws(ExitStatus) in try unsafe writeAll(bytes) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer) throws(ExitStatus) {
    if let failure { throw failure }
    do {
      unsafe try FileDescriptor.standardOutput.writeAll(bytes)
    } catch {
      throw fail(error, "cannot write to standard output: \(error)")
    }
  }

  /// Notes that somebody cannot be reached any more; a reader who went away is told nothing.
  fileprivate static func fail(_ error: any Error, _ text: String?) -> ExitStatus {
    let isGone = error as? Errno == .brokenPipe && BrokenPipe.endsProgram
    let status = isGone ? ExitStatus.readerGone : .system
    failed.withLock { $0 = $0 ?? status }
    if !isGone, let text { Diagnostics.tell("memarchive: " + text) }
    return status
  }
}

/// What is said to a person, on standard error.
enum Diagnostics {
  private static let reported = Mutex<Set<Int>>([])
  private static let mostRemembered = 10_000

  /// One line; a name with a newline in it must not begin another.
  static func report(_ text: String) { write("memarchive: " + PlainText.escaped(text)) }

  /// As `report`, unless the same was said before: one damage can be met on several ways.
  static func reportOnce(_ text: String) {
    // Their hashes are enough, and of millions of errors nobody keeps all.
    let hash = text.hashValue
    let isNew = reported.withLock { reported in
      reported.count < mostRemembered ? reported.insert(hash).inserted : !reported.contains(hash)
    }
    if isNew { report(text) }
  }

  static func write(_ text: String) {
    // Where that fails, the next one who writes there hears of it.
    try? Output.flush()
    tell(text)
  }

  /// As `write`, and what waits for standard output goes on waiting.
  fileprivate static func tell(_ text: String) {
    ProgressBar.clear()
    // Names appear in errors and may be anything: their bytes, but nothing that a terminal would obey. What goes to a file
    // is looked at on one later.
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    let plain = lines.map { PlainText.escaped(String($0)) }.joined(separator: "\n")
    do {
      try FileDescriptor.standardError.writeAll(ArchiveEntry.rawName(of: plain) + [0x0A])
    } catch  where error as? Errno == .brokenPipe && BrokenPipe.endsProgram {
      _ = Output.fail(error, nil)
    } catch {
      // Nothing is left to say where standard error itself fails.
    }
  }
}
