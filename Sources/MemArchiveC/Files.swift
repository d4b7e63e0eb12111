// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// A value that is made when it is first requested, and lies in an arena of its own.
final class Once<Value>: @unchecked Sendable {
  private let state = Mutex<Holder?>(nil)

  private final class Holder: @unchecked Sendable {
    let arena = Arena()
    let value: Value
    init(_ make: (Arena) throws -> Value) rethrows { value = try make(arena) }
  }

  /// The value; a failure is not kept.
  func get(_ make: (Arena) throws -> Value) throws -> Value {
    let holder: Result<Holder, any Error> = state.withLock { state in
      if let holder = state { return .success(holder) }
      return Result {
        let holder = try Holder(make)
        state = holder
        return holder
      }
    }
    return try holder.get().value
  }
}

/// One file, under the name by which it was found.
@safe final class FileHandle: Handle, @unchecked Sendable {
  static let whyNull = ", as memarchive_files_find returns it for a name that is not there"
  let file: MemFile
  let name: memarchive_text
  private let arena = Arena()
  private let path = unsafe Once<UnsafePointer<CChar>?>()
  private let entry = unsafe Once<UnsafePointer<memarchive_entry>>()

  init(_ file: MemFile, named name: String) {
    self.file = file
    unsafe self.name = arena.name(name)
  }

  convenience init(_ file: MemFile) { self.init(file, named: file.name) }

  func pathText() throws -> UnsafePointer<CChar>? {
    try unsafe path.get { arena in unsafe arena.cString(try file.path) }
  }

  func entryValue() -> UnsafePointer<memarchive_entry>? {
    guard let entry = file.entry else { return nil }
    return unsafe try? self.entry.get { arena in unsafe arena.value(entry.value(in: arena)) }
  }
}

/// Extracted or received files.
@safe final class FilesHandle: Handle, @unchecked Sendable {
  let files: MemFiles
  /// A handle for each file that was requested.
  private let handles: Mutex<[FileHandle?]>
  private let listing = unsafe Once<UnsafePointer<memarchive_listing>>()

  init(_ files: MemFiles) {
    self.files = files
    handles = Mutex([])
  }

  subscript(index: Int) -> FileHandle? {
    guard files.indices.contains(index) else { return nil }
    return handles.withLock { handles in
      if handles.isEmpty { handles = Array(repeating: nil, count: files.count) }
      if let handle = handles[index] { return handle }
      let handle = FileHandle(files[index].file, named: files[index].name)
      handles[index] = handle
      return handle
    }
  }

  func listingValue() -> UnsafePointer<memarchive_listing>? {
    unsafe try? listing.get { arena in
      unsafe arena.value(
        Listing(
          entries: files.entries, warnings: files.warnings, errors: files.errors, protection: files.protection
        ).value(in: arena))
    }
  }
}

@c(memarchive_files_count)
public func filesCount(_ files: OpaquePointer?) -> Int {
  unsafe (try? FilesHandle.of(files))?.files.count ?? 0
}

@c(memarchive_files_at)
public func filesAt(_ files: OpaquePointer?, _ index: Int) -> OpaquePointer? {
  unsafe answer { unsafe (try? FilesHandle.of(files))?[index]?.borrowed }
}

@c(memarchive_files_find)
public func filesFind(_ files: OpaquePointer?, _ text: CallerText?, _ length: Int) -> OpaquePointer? {
  guard let files = unsafe try? FilesHandle.of(files),
    let name = unsafe try? givenName(text, length, "the name"),
    let index = files.files.index(of: name)
  else { return nil }
  return unsafe answer { unsafe files[index]?.borrowed }
}

@c(memarchive_files_listing)
public func filesListing(_ files: OpaquePointer?) -> UnsafePointer<memarchive_listing>? {
  unsafe answer { unsafe (try? FilesHandle.of(files))?.listingValue() }
}

@c(memarchive_files_free)
public func filesFree(_ files: OpaquePointer?) { unsafe FilesHandle.free(files) }

@c(memarchive_file_new)
public func fileNew(
  _ text: CallerText?, _ length: Int, _ bytes: UnsafeRawPointer?, _ size: Int, _ file: HandlePlace?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(file, empty: nil, error) {
    let name = try unsafe givenName(text, length, "the name")
    guard size >= 0, unsafe size == 0 || bytes != nil else {
      throw InvalidArgument("bytes are NULL, or too many")
    }
    let content = unsafe UnsafeRawBufferPointer(start: bytes, count: size)
    return unsafe FileHandle(try MemFile(name: name, bytes: content.bytes)).passed()
  }
}

@c(memarchive_file_retain)
public func fileRetain(_ file: OpaquePointer?) -> OpaquePointer? {
  unsafe (try? FileHandle.of(file))?.passed()
}

@c(memarchive_file_free)
public func fileFree(_ file: OpaquePointer?) { unsafe FileHandle.free(file) }

@c(memarchive_file_name)
public func fileName(_ file: OpaquePointer?) -> memarchive_text {
  unsafe (try? FileHandle.of(file))?.name ?? memarchive_text()
}

@c(memarchive_file_size)
public func fileSize(_ file: OpaquePointer?) -> Int64 {
  unsafe (try? FileHandle.of(file)).map { Int64($0.file.size) } ?? -1
}

@c(memarchive_file_mode)
public func fileMode(_ file: OpaquePointer?) -> Int32 {
  unsafe (try? FileHandle.of(file))?.file.entry?.mode.map { Int32($0) } ?? -1
}

@c(memarchive_file_entry)
public func fileEntry(_ file: OpaquePointer?) -> UnsafePointer<memarchive_entry>? {
  unsafe answer { unsafe (try? FileHandle.of(file))?.entryValue() }
}

@c(memarchive_file_path)
public func filePath(
  _ file: OpaquePointer?, _ path: UnsafeMutablePointer<CallerText?>?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(path, empty: nil, error) { try unsafe FileHandle.of(file).pathText() }
}

@c(memarchive_file_descriptor)
public func fileDescriptor(
  _ file: OpaquePointer?, _ descriptor: UnsafeMutablePointer<Int32>?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(descriptor, empty: -1, error) { try unsafe FileHandle.of(file).file.fileDescriptor.rawValue }
}

@c(memarchive_file_duplicate)
public func fileDuplicate(
  _ file: OpaquePointer?, _ closeOnExec: Int32, _ descriptor: UnsafeMutablePointer<Int32>?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(descriptor, empty: -1, error) {
    try unsafe FileHandle.of(file).file.duplicate(closeOnExec: closeOnExec != 0).rawValue
  }
}

@c(memarchive_file_reopen)
public func fileReopen(
  _ file: OpaquePointer?, _ descriptor: UnsafeMutablePointer<Int32>?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(descriptor, empty: -1, error) { try unsafe FileHandle.of(file).file.reopen().rawValue }
}

@c(memarchive_file_bytes)
public func fileBytes(
  _ file: OpaquePointer?, _ bytes: UnsafeMutablePointer<UnsafeRawPointer?>?,
  _ size: UnsafeMutablePointer<Int>?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe size?.pointee = 0
  return unsafe call(bytes, empty: nil, error) {
    let file = try unsafe FileHandle.of(file).file
    guard let size = unsafe size else { throw InvalidArgument("the place for the size is NULL") }
    // The mapping, of the file or its slab, stays as long as the file.
    let content = try unsafe file.withBytes { span throws(ArchiveError) in
      unsafe span.withUnsafeBytes { $0.baseAddress }
    }
    unsafe size.pointee = file.size
    return unsafe content ?? UnsafeRawPointer(emptyContent)
  }
}

/// What an empty file's bytes are.
nonisolated(unsafe) private let emptyContent = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
