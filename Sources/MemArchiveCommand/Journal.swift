import CLinux
import FoundationEssentials
import Libc
import MemArchive
import Synchronization
import SystemPackage

/// `each --journal`: a file with a JSON line for each entry, and then for each archive, that is done.
///
/// A line is written, by one write(2), once all that the command said is written, so that what a journal has was done and
/// shown. What was done and is not in it, because the program was killed in between, is done again.
final class Journal: Sendable {
  /// What is done with which entries: a journal is for one request alone.
  struct Request: Codable, Equatable {
    var version = 1
    let command: [String]
    let clamd, recursive, keepGoing: Bool
    let include, exclude: [String]
  }

  /// An archive as it was found: a changed one is another.
  struct Identity: Hashable, Sendable {
    fileprivate let archive: NameKey
    fileprivate let size: Int64
    /// Seconds and nanoseconds since 1970, as they are written.
    fileprivate let mtime: String

    /// nil if there is no such file.
    init?(_ argument: String) {
      var status = stat()
      let path = RawText.path(ArchiveEntry.rawName(of: argument))
      guard unsafe path.withPlatformString({ unsafe stat($0, &status) }) == 0 else { return nil }
      archive = NameKey(argument)
      size = Int64(status.st_size)
      let fraction = "\(status.st_mtim.tv_nsec)"
      mtime =
        "\(status.st_mtim.tv_sec).\(String(repeating: "0", count: max(0, 9 - fraction.count)))\(fraction)"
    }

    fileprivate init(_ line: Line) {
      (archive, size, mtime) = (NameKey(line.archive), line.size, line.mtime)
    }
  }

  /// What is known of an archive.
  struct Progress: Sendable {
    /// The positions of entries that are done.
    fileprivate(set) var entries: Set<Int> = []
    /// Whether a command failed, or clamd found something.
    fileprivate(set) var hasFailures = false
    /// That of the archive, once all of it is done.
    fileprivate(set) var status: ExitStatus?
  }

  fileprivate struct Line: Codable {
    let archive: String
    let size: Int64
    let mtime: String
    /// The entry's position, unless the archive is done.
    var entry: Int?
    var name: String?
    /// The archive's exit status.
    var status: Int32?
    var failed: Bool?
  }

  private let file: FileDescriptor
  private let path: String
  /// What was done before.
  private let before: [Identity: Progress]
  private let encoder = JSONLine.encoder()
  private let writing = Mutex(Writing())

  private struct Writing {
    var synced = ContinuousClock.now
    /// A line may be there in part: none follows it.
    var hasFailed = false
  }

  /// Opens the file, or makes it, and reads what was done.
  ///
  /// - Parameter archives: Those that anything has to be known of.
  /// - Throws: A status, once it has been reported.
  init(_ path: String, _ request: Request, for archives: [String]) throws {
    self.path = path
    do {
      file = try FileDescriptor.open(
        RawText.path(ArchiveEntry.rawName(of: path)), .readWrite, options: [.create, .append, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
    } catch {
      throw Self.failure(path, "\(error)", .system)
    }
    var known: [Identity: Progress] = [:]
    do {
      var status = stat()
      guard unsafe fstat(file.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw Self.failure(path, "it is no regular file.", .usage)
      }
      try Self.lock(file, path)
      known = try Self.read(file, path, request, Set(archives.map { NameKey($0) }))
    } catch {
      try? file.close()
      throw error
    }
    before = known
  }

  deinit { try? file.close() }

  /// What was done of an archive before.
  func progress(of archive: Identity) -> Progress { before[archive] ?? Progress() }

  /// Notes an entry.
  func note(_ drawn: DrawnEntry, of archive: Identity, failed: Bool) throws(ExitStatus) {
    var line = Line(archive: archive.archive.name, size: archive.size, mtime: archive.mtime)
    (line.entry, line.name, line.failed) = (drawn.position, drawn.entry.name, failed ? true : nil)
    try write(line)
  }

  /// Notes that all of an archive is done.
  func note(_ archive: Identity, status: ExitStatus, failed: Bool) throws(ExitStatus) {
    var line = Line(archive: archive.archive.name, size: archive.size, mtime: archive.mtime)
    (line.status, line.failed) = (status.code, failed ? true : nil)
    try write(line)
  }

  /// Has everything on the disk.
  func sync() throws(ExitStatus) {
    guard fdatasync(file.rawValue) == 0 else {
      throw Self.failure(path, "\(Errno(rawValue: errno))", .system)
    }
  }

  private func write(_ line: Line) throws(ExitStatus) {
    let isDue = try writing.withLock { writing throws(ExitStatus) in
      guard !writing.hasFailed else { throw .system }
      do { try file.writeAll(JSONLine.bytes(line, by: encoder)) } catch {
        writing.hasFailed = true
        throw Self.failure(path, "\(error)", .system)
      }
      // What is written survives this process; the disk has it once a second.
      guard ContinuousClock.now - writing.synced > .seconds(1) else { return false }
      writing.synced = .now
      return true
    }
    if isDue { try sync() }
  }

  // MARK: Reading

  private static func lock(_ file: FileDescriptor, _ path: String) throws(ExitStatus) {
    guard clinux_lock(file.rawValue) != 0 else { return }
    let error = Errno(rawValue: errno)
    throw failure(
      path, error == .wouldBlock ? "another memarchive is using it. Wait for its end." : "\(error)", .system)
  }

  private static func read(
    _ file: FileDescriptor, _ path: String, _ request: Request, _ archives: Set<NameKey>
  ) throws -> [Identity: Progress] {
    let head = try JSONLine.bytes(request, by: JSONLine.encoder())
    var known: [Identity: Progress] = [:]
    var lines = LineReader(file)
    let decoder = JSONDecoder()
    do {
      guard let first = try lines.next() else {
        // Nothing, or the beginning of what a killed program wrote.
        guard head.starts(with: lines.rest) else { throw notAJournal(path) }
        try truncate(file, to: 0)
        _ = try file.writeAll(head)
        return [:]
      }
      guard let found = try? decoder.decode(Request.self, from: Data(first)) else { throw notAJournal(path) }
      guard found == request else {
        throw failure(
          path, "it is the journal of another command, or of other entries. Give a new file.", .usage)
      }
      while let bytes = try lines.next() {
        // What is damaged was not noted.
        guard let line = try? decoder.decode(Line.self, from: Data(bytes)),
          archives.contains(NameKey(line.archive))
        else { continue }
        known[Identity(line), default: Progress()].take(line.entry, line.status, failed: line.failed ?? false)
      }
      if !lines.rest.isEmpty { try truncate(file, to: lines.position) }
      return known
    } catch let error as Errno {
      throw failure(path, "\(error)", .system)
    }
  }

  private static func truncate(_ file: FileDescriptor, to size: Int64) throws(Errno) {
    guard ftruncate(file.rawValue, off_t(size)) == 0 else { throw Errno(rawValue: errno) }
  }

  private static func notAJournal(_ path: String) -> ExitStatus {
    failure(path, "it is no journal of memarchive's. Give a new file.", .usage)
  }

  private static func failure(_ path: String, _ reason: String, _ status: ExitStatus) -> ExitStatus {
    Diagnostics.report("the journal \"\(path)\": \(reason)")
    return status
  }
}

extension Journal.Progress {
  fileprivate mutating func take(_ entry: Int?, _ status: Int32?, failed: Bool) {
    hasFailures = hasFailures || failed
    if let entry { entries.insert(entry) }
    if let status {
      self.status = ExitStatus(ofCommand: status)
      // Nobody asks for them any more.
      entries = []
    }
  }
}

/// The lines of a file, in order.
private struct LineReader {
  /// What follows the last line.
  private(set) var rest: [UInt8] = []
  /// The offset at which that begins.
  private(set) var position: Int64 = 0
  private let file: FileDescriptor
  private var offset: Int64 = 0
  private var start = 0

  init(_ file: FileDescriptor) { self.file = file }

  /// The next line, without its end; nil where no further one has an end.
  mutating func next() throws -> [UInt8]? {
    var searched = start
    while true {
      if let end = rest[searched...].firstIndex(of: 0x0A) {
        defer { start = end + 1 }
        position += Int64(end + 1 - start)
        return Array(rest[start..<end])
      }
      rest.removeFirst(start)
      searched = rest.count
      start = 0
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = try unsafe buffer.withUnsafeMutableBytes {
        try unsafe file.read(fromAbsoluteOffset: offset, into: $0)
      }
      guard count > 0 else { return nil }
      offset += Int64(count)
      rest += buffer[..<count]
    }
  }
}
