// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import Libc
internal import MemArchive
internal import SealedMemory
internal import SystemPackage

/// An archive, and how it is to be read.
final class ArchiveHandle: Handle, Sendable {
  let reader: ArchiveReader
  let settings: Settings
  /// A descriptor of this object's own.
  private let descriptor: FileDescriptor?

  init(_ reader: ArchiveReader, _ settings: Settings, owning descriptor: FileDescriptor? = nil) {
    (self.reader, self.settings, self.descriptor) = (reader, settings, descriptor)
  }

  deinit { if let descriptor { SystemCalls.close(descriptor) } }
}

/// Where a handle is put.
public typealias HandlePlace = UnsafeMutablePointer<OpaquePointer?>

private func open(
  _ archive: HandlePlace?, _ options: UnsafePointer<memarchive_options>?, _ error: ErrorPlace?,
  _ make: (Settings) throws -> ArchiveHandle
) -> memarchive_code {
  unsafe call(archive, empty: nil, error) { try unsafe make(Settings(options)).passed() }
}

/// The path of a file that may be read, as far as can be told without opening it: opening a pipe would be noticed.
private func readablePath(_ path: CallerText?) throws -> FilePath {
  guard let path = unsafe path else { throw InvalidArgument("the path is NULL") }
  var status = stat()
  var failure: Errno?
  if unsafe stat(path, &status) != 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 {
    failure = Errno(rawValue: errno)
  } else if status.st_mode & S_IFMT == S_IFDIR {
    failure = .isDirectory
  }
  let filePath = unsafe FilePath(platformString: path)
  if let failure { throw ArchiveError.open(filePath.string, failure) }
  return filePath
}

@c(memarchive_open_path)
public func openPath(
  _ path: CallerText?, _ options: UnsafePointer<memarchive_options>?, _ archive: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    ArchiveHandle(ArchiveReader(path: try unsafe readablePath(path)), settings)
  }
}

@c(memarchive_open_paths)
public func openPaths(
  _ paths: UnsafePointer<CallerText?>?, _ count: Int, _ options: UnsafePointer<memarchive_options>?,
  _ archive: HandlePlace?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    let paths = try unsafe list(paths, count, "paths")
    guard !paths.isEmpty else { throw InvalidArgument("there is no path") }
    return ArchiveHandle(ArchiveReader(paths: try unsafe paths.map { try unsafe readablePath($0) }), settings)
  }
}

@c(memarchive_open_descriptor)
public func openDescriptor(
  _ descriptor: Int32, _ options: UnsafePointer<memarchive_options>?, _ archive: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    let own: FileDescriptor
    do throws(Errno) {
      own = try SystemCalls.duplicate(FileDescriptor(rawValue: descriptor), closeOnExec: true)
    } catch {
      throw ArchiveError.system("fcntl", error, doing: "duplicating descriptor \(descriptor)")
    }
    return ArchiveHandle(ArchiveReader(descriptor: own), settings, owning: own)
  }
}

@c(memarchive_open_bytes)
public func openBytes(
  _ bytes: UnsafeRawPointer?, _ size: Int, _ options: UnsafePointer<memarchive_options>?,
  _ archive: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    guard size >= 0, unsafe size == 0 || bytes != nil else {
      throw InvalidArgument("bytes are NULL, or too many")
    }
    return try spooled(settings, size: Int64(size)) { offset, buffer throws(ArchiveError) in
      unsafe buffer.withUnsafeMutableBytes { buffer in
        unsafe buffer.copyMemory(
          from: UnsafeRawBufferPointer(start: bytes! + Int(offset), count: buffer.count))
      }
      return buffer.byteCount
    }
  }
}

@c(memarchive_open_source)
public func openSource(
  _ source: UnsafePointer<memarchive_source>?, _ options: UnsafePointer<memarchive_options>?,
  _ archive: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    guard let source = unsafe source else { throw InvalidArgument("the source is NULL") }
    let given = try unsafe copied(source, memarchive_source(), through: \.size, "source")
    let callback = try unsafe SourceCallback(given)
    let size = callback.size
    guard size >= -1 else { throw InvalidArgument("the source's size is \(size): it must be -1 or more") }
    guard unsafe given.on_demand == 0 else {
      guard size >= 0 else { throw InvalidArgument("a source that is read on demand needs its size") }
      return ArchiveHandle(ArchiveReader(source: callback), settings)
    }
    var failure: CallbackFailure?
    do {
      return try spooled(settings, size: size < 0 ? nil : size) { offset, buffer throws(ArchiveError) in
        do throws(CallbackFailure) { return try callback.bytes(at: offset, into: &buffer) } catch {
          failure = error
          throw ArchiveError.system("read", .ioError, doing: "reading the archive")
        }
      }
    } catch {
      throw failure ?? error
    }
  }
}

/// The caller's function, which may be called by any thread.
@safe private struct SourceCallback: ArchiveSource, @unchecked Sendable {
  private let function: (UnsafeMutableRawPointer?, Int64, UnsafeMutableRawPointer?, Int) -> Int64
  private let user: UnsafeMutableRawPointer?
  let size: Int64

  init(_ source: memarchive_source) throws {
    guard let read = unsafe source.read else { throw InvalidArgument("the source's function is NULL") }
    unsafe (function, user, size) = (read, source.user, source.size)
  }

  func bytes(at offset: Int64, into buffer: inout MutableRawSpan) throws(CallbackFailure) -> Int {
    let count = unsafe buffer.withUnsafeMutableBytes {
      unsafe function(user, offset, $0.baseAddress, $0.count)
    }
    guard count >= 0, count <= buffer.byteCount else {
      throw CallbackFailure(
        number: count < 0 ? Int32(clamping: count.magnitude) : 0,
        reason: count < 0
          ? "the source could not be read at offset \(offset)"
          : "the source's function returned more than was asked for")
    }
    return Int(count)
  }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    do throws(CallbackFailure) { return try bytes(at: offset, into: &buffer) } catch {
      throw .sourceFailed(error.reason, errno: error.number == 0 ? nil : Errno(rawValue: error.number))
    }
  }
}

/// An archive that is now read into sealed memory.
private func spooled(
  _ settings: Settings, size: Int64?, _ read: @escaping CallerSource.Read
) throws -> ArchiveHandle {
  let file = try settings.reading { context in
    try MemFile(name: "the archive itself", size: size, in: context, readingArchiveBy: read)
  }
  return ArchiveHandle(ArchiveReader(contentsOf: file), settings)
}

@c(memarchive_open_file)
public func openFile(
  _ file: OpaquePointer?, _ options: UnsafePointer<memarchive_options>?, _ archive: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe open(archive, options, error) { settings in
    ArchiveHandle(ArchiveReader(contentsOf: try unsafe FileHandle.of(file).file), settings)
  }
}

@c(memarchive_archive_free)
public func archiveFree(_ archive: OpaquePointer?) { unsafe ArchiveHandle.free(archive) }

/// The entries that the caller selects.
func selected(_ pointer: UnsafePointer<memarchive_selection>?) throws -> EntrySelection {
  guard let pointer = unsafe pointer else { return .all }
  let given = try unsafe copied(pointer, memarchive_selection(), through: \.excluded_count, "selection")
  func texts(_ first: UnsafePointer<memarchive_text>?, _ count: Int, _ what: String) throws -> [String] {
    try unsafe list(first, count, what).map { try unsafe givenName($0.data, $0.length, "one of the \(what)") }
  }
  let names = try unsafe texts(given.names, given.name_count, "names")
  let patterns = try unsafe texts(given.patterns, given.pattern_count, "patterns")
  let excluded = try unsafe texts(given.excluded, given.excluded_count, "excluded patterns")
  guard names.isEmpty || patterns.isEmpty else {
    throw InvalidArgument("a selection has names or patterns, not both")
  }
  let selection: EntrySelection = !names.isEmpty ? .names(names) : !patterns.isEmpty ? .glob(patterns) : .all
  return excluded.isEmpty ? selection : selection.excluding(excluded)
}

@c(memarchive_list)
public func listEntries(
  _ archive: OpaquePointer?, _ selection: UnsafePointer<memarchive_selection>?,
  _ listing: UnsafeMutablePointer<UnsafeMutablePointer<memarchive_listing>?>?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(listing, empty: nil, error) {
    let archive = try unsafe ArchiveHandle.of(archive)
    let selection = try unsafe selected(selection)
    let entries = try archive.settings.reading { try archive.reader.entries(selection, in: $0) }
    let arena = Arena()
    return unsafe arena.record(Listing(entries: entries).value(in: arena))
  }
}

@c(memarchive_extract)
public func extract(
  _ archive: OpaquePointer?, _ selection: UnsafePointer<memarchive_selection>?, _ files: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(files, empty: nil, error) {
    let archive = try unsafe ArchiveHandle.of(archive)
    let selection = try unsafe selected(selection)
    return unsafe FilesHandle(
      try archive.settings.reading {
        try archive.reader.extract(selection, nested: $0.options.nestedArchives, in: $0)
      }
    ).passed()
  }
}
