// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive
internal import Synchronization

/// An archive that is read entry by entry, by one thread at a time.
final class StreamHandle: Handle, @unchecked Sendable {
  private let reading: Settings.Reading
  private var stream: ArchiveStream
  private let isBusy = Atomic<Bool>(false)
  /// Holds what the last call returned.
  private var arena = Arena()

  init(_ archive: ArchiveHandle) throws {
    reading = try Settings.Reading(archive.settings)
    stream = try archive.reader.stream(in: reading.context)
  }

  /// Runs a call's body alone: two at a time would be a fault that Swift ends the process for.
  func alone<Result>(_ body: (inout ArchiveStream, Arena) throws -> Result) throws -> Result {
    guard !isBusy.exchange(true, ordering: .acquiring) else {
      throw InvalidArgument(
        "the stream is in use by another call: one thread at a time, and not from its callback")
    }
    defer { isBusy.store(false, ordering: .releasing) }
    arena = Arena()
    return try body(&stream, arena)
  }
}

@c(memarchive_stream_new)
public func streamNew(
  _ archive: OpaquePointer?, _ stream: HandlePlace?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(stream, empty: nil, error) { try unsafe StreamHandle(ArchiveHandle.of(archive)).passed() }
}

@c(memarchive_stream_next)
public func streamNext(
  _ stream: OpaquePointer?, _ entry: UnsafeMutablePointer<UnsafePointer<memarchive_entry>?>?,
  _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(entry, empty: nil, error) {
    try unsafe StreamHandle.of(stream).alone { stream, arena in
      try unsafe stream.next().map { unsafe arena.value($0.value(in: arena)) }
    }
  }
}

@c(memarchive_stream_extract)
public func streamExtract(_ stream: OpaquePointer?, _ file: HandlePlace?, _ error: ErrorPlace?)
  -> memarchive_code
{
  unsafe call(file, empty: nil, error) {
    try unsafe StreamHandle.of(stream).alone { stream, _ in unsafe FileHandle(try stream.extract()).passed() }
  }
}

@c(memarchive_stream_blocks)
public func streamBlocks(
  _ stream: OpaquePointer?, _ callback: memarchive_block_callback?, _ user: UnsafeMutableRawPointer?,
  _ size: UnsafeMutablePointer<Int64>?, _ error: ErrorPlace?
) -> memarchive_code {
  var unwanted: Int64 = 0
  return unsafe withUnsafeMutablePointer(to: &unwanted) { unwanted in
    unsafe call(size ?? unwanted, empty: 0, error) {
      guard let callback = unsafe callback else { throw InvalidArgument("the callback is NULL") }
      return try unsafe StreamHandle.of(stream).alone { stream, _ in
        try stream.forEachBlock { block, offset throws in
          let answer = unsafe block.withUnsafeBytes {
            unsafe callback(user, $0.baseAddress, $0.count, offset)
          }
          guard answer == 0 else {
            throw CallbackFailure(number: answer, reason: "the callback for blocks stopped")
          }
        }
      }
    }
  }
}

@c(memarchive_stream_listing)
public func streamListing(_ stream: OpaquePointer?) -> UnsafePointer<memarchive_listing>? {
  unsafe answer {
    unsafe try? StreamHandle.of(stream).alone { stream, arena in
      unsafe arena.value(
        Listing(warnings: stream.warnings, protection: stream.protection, comment: stream.comment).value(
          in: arena))
    }
  }
}

@c(memarchive_stream_free)
public func streamFree(_ stream: OpaquePointer?) { unsafe StreamHandle.free(stream) }
