internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// Whether a pipe has been read, shared by all copies of its reader.
final class PipeState: Sendable {
  private let taken = Mutex(false)
  var isTaken: Bool { taken.withLock { $0 } }

  /// Marks the pipe as read; false if it already was.
  func take() -> Bool {
    taken.withLock { taken in
      defer { taken = true }
      return !taken
    }
  }
}

extension ArchiveReader {
  /// The archive's own file name, if it has one.
  var fileName: String? {
    switch origin {
    case .path(let path): path.fileName
    case .parts(let paths): paths.first?.fileName
    case .file(let file): file.name.split(separator: "/").last.map(String.init)
    case .kept(let files): files.first?.fileName
    case .source(let source): source.name?.split(separator: "/").last.map(String.init)
    case .chunks(let feed): feed.name?.split(separator: "/").last.map(String.init)
    case .passed(_, let name): name
    case .descriptor, .bytes: nil
    }
  }

  /// All bytes of the archive in sealed memory: that which they are in already, or a copy.
  package func sealed(in context: ExtractionContext) throws(ArchiveError) -> MemFile {
    switch origin {
    case .file(let file): return file
    case .parts:
      throw ArchiveError(
        .notVerified, "an archive in several files is not verified as one",
        advice: "Verify each of them, or give them as one file.")
    case .path, .descriptor, .bytes, .source, .chunks, .passed, .kept:
      return try MemFile(name: fileName ?? "archive", archive: open([context.cancellation]), in: context)
    }
  }

  /// A source that reads the archive from its first byte.
  func open(_ cancellations: [Cancellation]) throws(ArchiveError) -> any ByteSource {
    switch origin {
    case .bytes(let bytes): return MemorySource(bytes, cancellations: cancellations)
    case .file(let file): return MemorySource(file, cancellations: cancellations)
    case .descriptor(let descriptor): return try source(descriptor, isOwned: false, cancellations)
    case .source(let source): return try RequestedSource(source, cancellations)
    case .chunks(let feed):
      let (descriptor, task) = try start(feed, cancellations)
      return PipeSource(descriptor, isOwned: true, cancellations: cancellations, fedBy: task)
    case .passed(let files, _): return try Self.source(of: files, cancellations)
    case .kept(let files):
      for file in files { try file.check() }
      let parts = files.map {
        FileSource($0.descriptor, size: $0.size, isOwned: false, cancellations: cancellations)
      }
      return parts.count == 1 ? parts[0] : SplitSource(parts)
    case .path(let path): return try open(path, cancellations)
    case .parts(let paths):
      var parts: [any SeekableSource] = []
      for path in paths {
        guard let part = try open(path, cancellations).seekable else {
          throw .open("\(path)", .illegalSeek)
        }
        parts.append(part)
      }
      return SplitSource(parts)
    }
  }

  func openIndex() -> (any SeekableSource)? {
    switch index {
    case .file(let file): MemorySource(file)
    case .passed(let file): FileSource(file.descriptor, size: file.size ?? 0, isOwned: false)
    case nil: nil
    }
  }

  /// Starts what produces the archive, for the first reading.
  func start(
    _ feed: ChunkFeed, _ cancellations: [Cancellation]
  ) throws(ArchiveError) -> (FileDescriptor, ChunkTask) {
    guard pipe?.take() ?? true else {
      throw ArchiveError(
        .sourceConsumed, "its chunks have already been read",
        advice: "Keep them in a MemFile, which can be read again.")
    }
    return try feed.start(cancellations)
  }

  private static func source(
    of files: [PassedFile], _ cancellations: [Cancellation]
  ) throws(ArchiveError) -> any ByteSource {
    if let file = files.first, let size = file.size, let channel = file.channel {
      return AskedSource(channel, size: size, cancellations)
    }
    var parts: [any SeekableSource] = []
    for file in files {
      guard let size = file.size else { continue }
      parts.append(
        try FileSource.open(file.descriptor, size: size, isOwned: false, cancellations: cancellations))
    }
    if parts.count > 1 { return SplitSource(parts) }
    return parts.first
      ?? PipeSource(
        files.first?.descriptor ?? .standardInput, isOwned: false, cancellations: cancellations, waits: false)
  }

  private func open(_ path: FilePath, _ cancellations: [Cancellation]) throws(ArchiveError) -> any ByteSource
  {
    try source(try Self.open(path, pipe), path: path, isOwned: true, cancellations)
  }

  /// The file at a path, opened for reading, which the caller owns.
  static func open(_ path: FilePath, _ pipe: PipeState?) throws(ArchiveError) -> FileDescriptor {
    // Opening a named pipe again would block until another process opens it for writing, perhaps forever.
    if pipe?.isTaken ?? false { throw .consumed("\(path)") }
    do { return try SystemCalls.openReadOnly(path) } catch { throw .open("\(path)", error) }
  }

  private func source(
    _ descriptor: FileDescriptor, path: FilePath? = nil, isOwned: Bool, _ cancellations: [Cancellation]
  ) throws(ArchiveError) -> any ByteSource {
    let size: Int64?
    do throws(Errno) { size = try SystemCalls.extent(of: descriptor, try Stat(descriptor)) } catch {
      if isOwned { SystemCalls.close(descriptor) }
      throw .open(path.map { "\($0)" } ?? "descriptor \(descriptor.rawValue)", error)
    }
    if let size {
      return try FileSource.open(descriptor, size: size, isOwned: isOwned, cancellations: cancellations)
    }
    guard pipe?.take() ?? true else { throw .consumed("descriptor \(descriptor.rawValue)") }
    return PipeSource(descriptor, isOwned: isOwned, cancellations: cancellations)
  }
}

extension FilePath {
  /// The last component as a key.
  var fileName: String? { lastComponent.map { EntryName.key($0.bytes) } }
}

extension FilePath.Component {
  /// The component's bytes, which need not be UTF-8.
  fileprivate var bytes: [UInt8] {
    unsafe withPlatformString { unsafe [UInt8](UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
  }
}
