import Libc
import MemArchive
import Synchronization
import SystemPackage

/// Standard output, written in large pieces. A failed write ends the program, because no output would arrive any more. It
/// does so by an error, so that no worker is left running.
enum Output {
  private static let pending = Mutex<[UInt8]>([])
  private static let failed = Mutex<ExitStatus?>(nil)
  /// Whether standard output is a terminal.
  static let isTerminal = isatty(STDOUT_FILENO) == 1

  /// The exit status after a failed write.
  static var failure: ExitStatus? { failed.withLock { $0 } }

  static func write(_ text: String) throws(ExitStatus) { try write(Array(text.utf8)) }

  static func write(_ bytes: [UInt8]) throws(ExitStatus) {
    if let transcript = Transcript.current { return try transcript.add(.output(bytes)) }
    let isFull = pending.withLock { pending in
      pending.append(contentsOf: bytes)
      return pending.count >= 64 << 10
    }
    if isFull { try flush() }
  }

  /// Names the archive that the lines below are about, of several.
  static func writeHeading(_ archive: String, isFirst: Bool) throws(ExitStatus) {
    try write(Array((isFirst ? "" : "\n").utf8) + NameText.escaped(archive).bytes + Array(":\n".utf8))
  }

  /// Writes a file's content, bypassing the buffer.
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

  /// Notes a failed write and reports it, unless the reader has gone away.
  fileprivate static func fail(_ error: any Error, _ text: String?) -> ExitStatus {
    let isGone = error as? Errno == .brokenPipe && BrokenPipe.endsProgram
    let status = isGone ? ExitStatus.readerGone : .system
    failed.withLock { $0 = $0 ?? status }
    if !isGone, let text { Diagnostics.tell("memarchive: " + text) }
    return status
  }
}

/// Messages on standard error.
enum Diagnostics {
  private static let reported = Mutex<Set<Int>>([])
  private static let mostRemembered = 10_000

  /// Writes one line: newlines in names are escaped.
  static func report(_ text: String) { write("memarchive: " + PlainText.escaped(text)) }

  /// Like `report`, but once for each text: the same damage can be found in several ways.
  static func reportOnce(_ text: String) {
    if let transcript = Transcript.current {
      try? transcript.add(.messageOnce(text))
      return
    }
    // Keeps hashes, and a bounded number of them: there may be millions of errors.
    let hash = text.hashValue
    let isNew = reported.withLock { reported in
      reported.count < mostRemembered ? reported.insert(hash).inserted : !reported.contains(hash)
    }
    if isNew { report(text) }
  }

  static func write(_ text: String) {
    if let transcript = Transcript.current {
      try? transcript.add(.message(text))
      return
    }
    // If that fails, the next write to standard output throws.
    try? Output.flush()
    tell(text)
  }

  /// Writes what another program had to say, as it is.
  static func write(_ bytes: [UInt8]) {
    if let transcript = Transcript.current {
      try? transcript.add(.errors(bytes))
      return
    }
    try? Output.flush()
    ProgressBar.clear()
    tell(bytes)
  }

  /// The text with the middle of each long name left out: a name may have as many bytes as a header has room for. What is
  /// between quotes is a name or less; the text around them is our own.
  private static func shortened(_ text: String) -> String {
    guard text.utf8.count > longest else { return text }
    return text.split(separator: "\"", omittingEmptySubsequences: false).map { part in
      guard part.utf8.count > longest else { return String(part) }
      let scalars = part.unicodeScalars
      let (start, end) = (scalars.prefix(longest / 2), scalars.suffix(longest / 8))
      guard start.endIndex < end.startIndex else { return String(part) }
      let count = part.utf8.count - String(start).utf8.count - String(end).utf8.count
      return "\(String(start))[… \(count) bytes …]\(String(end))"
    }.joined(separator: "\"")
  }

  private static let longest = 400

  /// Like `write`, without flushing standard output.
  fileprivate static func tell(_ text: String) {
    ProgressBar.clear()
    // Names in errors may contain anything: their bytes are written as they are, but control characters are escaped, even
    // in a file, because it may be shown on a terminal later.
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    let plain = lines.map { shortened(PlainText.escaped(String($0))) }.joined(separator: "\n")
    tell(ArchiveEntry.rawName(of: plain) + [0x0A])
  }

  private static func tell(_ bytes: [UInt8]) {
    do {
      try FileDescriptor.standardError.writeAll(bytes)
    } catch  where error as? Errno == .brokenPipe && BrokenPipe.endsProgram {
      _ = Output.fail(error, nil)
    } catch {
      // There is nowhere to report that standard error fails.
    }
  }
}

extension MemFile {
  /// Calls `body` with the content, piece by piece. It is read rather than mapped because reading a hole through a mapping
  /// takes memory, and some archives contain little else. A packed file is mapped already.
  func forEachChunk(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    if isPacked { return try withBytes { bytes in try unsafe bytes.withUnsafeBytes { try unsafe body($0) } } }
    let descriptor = try contentDescriptor
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

/// SIGPIPE: when its reader goes away this program ends like others do, but not before its worker has ended.
enum BrokenPipe {
  /// Whether the program was started with the signal's default action; reading this makes the signal ignored.
  static let endsProgram = signal(SIGPIPE, SIG_IGN) == nil

  /// Ignores the signal from here on.
  static func outlive() { _ = endsProgram }

  /// Restores the original action, for an executed command or before the end.
  static func restore() { if endsProgram { _ = signal(SIGPIPE, SIG_DFL) } }
}
