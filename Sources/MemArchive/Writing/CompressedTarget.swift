internal import CLibArchive
internal import Libc
internal import SystemPackage

/// Compresses what is written, by one of libarchive's filters, which does not see what it is.
@safe final class CompressedTarget: ArchiveTarget {
  private let library: UnsafePointer<clibarchive>
  private let archive: OpaquePointer
  private let target: any ArchiveTarget
  private var failure: ArchiveError?
  private var isClosed = false

  /// - Parameter level: How hard to compress; nil for the filter's own default.
  init(
    _ compression: ArchiveWriter.Compression, level: Int?, to target: any ArchiveTarget
  ) throws(ArchiveError) {
    let library = unsafe try LibArchive.functions()
    guard let archive = unsafe library.pointee.archive_write_new() else {
      throw .system("archive_write_new", .noMemory, doing: "compressing an archive")
    }
    unsafe (self.library, self.archive, self.target) = (library, archive, target)
    // "raw": the bytes of one entry and nothing else.
    try check(unsafe library.pointee.archive_write_set_format_raw(archive), "archive_write_set_format_raw")
    let added: CInt =
      switch compression {
      case .none: ARCHIVE_OK
      case .gzip: unsafe library.pointee.archive_write_add_filter_gzip(archive)
      case .bzip2: unsafe library.pointee.archive_write_add_filter_bzip2(archive)
      case .xz: unsafe library.pointee.archive_write_add_filter_xz(archive)
      case .zstd: unsafe library.pointee.archive_write_add_filter_zstd(archive)
      }
    // A warning means that it would run a program.
    guard added == ARCHIVE_OK else {
      throw ArchiveError(
        .unsupportedFeature, "this libarchive cannot write \(compression)", call: "archive_write_add_filter",
        advice: "Choose another compression.")
    }
    if compression == .gzip {
      // The same bytes at any time (RFC 1952, MTIME).
      unsafe _ = library.pointee.archive_write_set_filter_option(archive, "gzip", "timestamp", nil)
    }
    if let level {
      let status = unsafe library.pointee.archive_write_set_filter_option(
        archive, nil, "compression-level", "\(level)")
      guard status == ARCHIVE_OK else {
        throw ArchiveError(
          .unsupportedFeature, "\(compression) has no level \(level)", advice: "Choose a level from 1 to 9.")
      }
    }
    // Compressed bytes are passed on as they come, and the last block is not filled up.
    unsafe _ = library.pointee.archive_write_set_bytes_per_block(archive, 0)
    try check(
      unsafe library.pointee.archive_write_open(
        archive, Unmanaged.passUnretained(self).toOpaque(), nil,
        { _, context, bytes, count in
          // The context is this object, and libarchive calls back only while it is in use.
          unsafe Unmanaged<CompressedTarget>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
            .take(bytes, count)
        }, nil), "archive_write_open")
    guard let entry = unsafe library.pointee.archive_entry_new() else {
      throw .system("archive_entry_new", .noMemory, doing: "compressing an archive")
    }
    defer { unsafe library.pointee.archive_entry_free(entry) }
    unsafe library.pointee.archive_entry_set_filetype(entry, UInt32(Libc.S_IFREG))
    try check(unsafe library.pointee.archive_write_header(archive, entry), "archive_write_header")
  }

  deinit {
    // Otherwise freeing it would write the rest.
    if !isClosed { unsafe _ = library.pointee.archive_write_fail(archive) }
    unsafe _ = library.pointee.archive_write_free(archive)
  }

  func write(_ bytes: RawSpan) throws(ArchiveError) {
    var written = 0
    while written < bytes.byteCount {
      let count = unsafe bytes.extracting(written..<bytes.byteCount).withUnsafeBytes {
        unsafe library.pointee.archive_write_data(archive, $0.baseAddress, $0.count)
      }
      try check(count > 0 ? ARCHIVE_OK : ARCHIVE_FATAL, "archive_write_data")
      written += Int(count)
    }
  }

  /// Writes the rest; to be called once, at the end.
  func finish() throws(ArchiveError) {
    try check(unsafe library.pointee.archive_write_close(archive), "archive_write_close")
    isClosed = true
  }

  private func take(_ bytes: UnsafeRawPointer?, _ count: Int) -> la_ssize_t {
    guard failure == nil, let bytes = unsafe bytes else { return -1 }
    do throws(ArchiveError) {
      try target.write(unsafe RawSpan(_unsafeStart: bytes, byteCount: count))
      return count
    } catch {
      // The call that led here throws it.
      failure = error
      return -1
    }
  }

  private func check(_ status: CInt, _ call: String) throws(ArchiveError) {
    if let failure { throw failure }
    guard status != ARCHIVE_OK else { return }
    let text = unsafe library.pointee.archive_error_string(archive).map { unsafe String(cString: $0) }
    throw ArchiveError(
      .system, "compressing the archive failed: \(text ?? "no reason given")", call: call,
      advice: "Free memory, or choose another compression.")
  }
}
