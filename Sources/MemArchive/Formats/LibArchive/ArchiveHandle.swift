internal import CLibArchive
internal import CLinux
internal import Libc
internal import SystemPackage

/// The owner of one `struct archive` (libarchive(3)) and of the source that it reads through callbacks.
///
/// No other code sees the C object. An error that the source throws inside a callback is kept and thrown by the call
/// that caused it; `outcome` alone turns libarchive's own statuses into errors.
@safe final class ArchiveHandle {
  /// Large enough to make system calls rare, small enough to stay in the second-level cache.
  private static let blockSize = 256 << 10

  private let library: UnsafePointer<clibarchive>
  private let archive: OpaquePointer
  private let source: any ByteSource
  private let block: UnsafeMutableRawBufferPointer
  private let convertsNames: Bool
  /// Bytes that libarchive has read from the source, or skipped.
  private var bytesDelivered: Int64 = 0
  private var lastBlock = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// What `readData` has still to give of libarchive's last block.
  private var unread = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  private var sourceFailure: ArchiveError?
  /// Checked before each block is read: libarchive skips whole entries in one call.
  private let cancellation: Cancellation?
  /// Whether libarchive has asked for more bytes than there are.
  private(set) var sourceEnded = false

  private init(
    _ source: any ByteSource, convertsNames: Bool = false, cancellation: Cancellation? = nil
  ) throws(ArchiveError) {
    let library = unsafe try LibArchive.functions()
    guard let archive = unsafe library.pointee.archive_read_new() else {
      throw .system("archive_read_new", .noMemory, doing: "creating a reader")
    }
    unsafe (self.library, self.archive) = (library, archive)
    self.source = source
    self.convertsNames = convertsNames
    self.cancellation = cancellation
    unsafe block = .allocate(byteCount: Self.blockSize, alignment: 4096)
  }

  deinit {
    // Frees the decoders too, which may need the locale that names were converted with; it never calls back.
    unsafe _ = library.pointee.archive_read_free(archive)
    unsafe block.deallocate()
  }

  /// A reader of entries. Formats are registered one by one: no archive can reach a reader that is not named here.
  ///
  /// - Parameter head: The first bytes, which show how names are stored.
  static func entries(
    of source: any ByteSource, head: [UInt8], formats: ArchiveFormats, in context: ExtractionContext
  ) throws(ArchiveError) -> ArchiveHandle {
    let handle = try ArchiveHandle(
      source, convertsNames: !isPOSIXTar(head),
      cancellation: context.cancellation)
    let (library, archive) = unsafe (handle.library, handle.archive)
    for unsafe(format, register) in unsafe registrations(library) where formats.contains(format) {
      _ = unsafe register?(archive)
    }
    for passphrase in context.options.passphrases {
      unsafe _ = library.pointee.archive_read_add_passphrase(archive, passphrase)
    }
    try handle.open()
    return handle
  }

  /// The function that registers each format. mtree is left out: it is a listing, whose reader can open the files it names.
  private static func registrations(
    _ library: UnsafePointer<clibarchive>
  ) -> [(ArchiveFormats, (@convention(c) (OpaquePointer?) -> CInt)?)] {
    unsafe [
      (.tar, library.pointee.archive_read_support_format_tar),
      (.zip, library.pointee.archive_read_support_format_zip),
      (.sevenZip, library.pointee.archive_read_support_format_7zip),
      (.cpio, library.pointee.archive_read_support_format_cpio),
      (.ar, library.pointee.archive_read_support_format_ar),
      (.rar, library.pointee.archive_read_support_format_rar),
      (.rar5, library.pointee.archive_read_support_format_rar5),
      (.cab, library.pointee.archive_read_support_format_cab),
      (.lha, library.pointee.archive_read_support_format_lha),
      (.iso9660, library.pointee.archive_read_support_format_iso9660),
      (.xar, library.pointee.archive_read_support_format_xar),
      (.warc, library.pointee.archive_read_support_format_warc),
      // Accepts empty content.
      ([], library.pointee.archive_read_support_format_empty),
    ]
  }

  /// A reader of a 7z that was made around something to be decoded, at its only entry.
  static func sevenZip(_ source: any SeekableSource) throws(ArchiveError) -> ArchiveHandle {
    let handle = try ArchiveHandle(source, convertsNames: true)
    unsafe _ = handle.library.pointee.archive_read_support_format_7zip(handle.archive)
    try handle.open()
    guard try handle.nextHeader() != nil else { throw .corrupt("libarchive finds no entry") }
    return handle
  }

  /// A reader that decodes one compression layer of `source`. The filter is set rather than chosen by bidding: otherwise
  /// libarchive would go on and decode the layers beneath with its own decoders.
  static func filter(_ filter: Filter, of source: any ByteSource) throws(ArchiveError) -> ArchiveHandle {
    let handle = try ArchiveHandle(source)
    let (library, archive) = unsafe (handle.library, handle.archive)
    unsafe _ = library.pointee.archive_read_support_format_raw(archive)
    unsafe _ = library.pointee.archive_read_support_format_empty(archive)
    if filter == .compress {
      // libarchive before 3.8.8: set without bidding, this filter reads from a source that does not exist yet, and crashes.
      unsafe _ = library.pointee.archive_read_support_filter_compress(archive)
    } else {
      _ = try handle.outcome(
        of: unsafe library.pointee.archive_read_append_filter(archive, filter.libArchiveCode),
        call: "archive_read_append_filter")
    }
    try handle.open()
    // The "empty" format also accepts a decoder that failed before its first byte; such a failure has left its text.
    if unsafe library.pointee.archive_error_string(archive) != nil {
      throw handle.error("archive_read_open1")
    }
    return handle
  }

  /// "ustar" in the first header (POSIX.1, pax, "ustar Interchange Format").
  private static func isPOSIXTar(_ head: [UInt8]) -> Bool {
    head.dropFirst(257).starts(with: "ustar".utf8)
  }

  private func open() throws(ArchiveError) {
    unsafe _ = library.pointee.archive_read_set_read_callback(archive) { _, context, buffer in
      unsafe ArchiveHandle.from(context).nextBlock(&buffer!.pointee)
    }
    if source.seekable != nil {
      unsafe _ = library.pointee.archive_read_set_skip_callback(archive) { _, context, request in
        unsafe ArchiveHandle.from(context).skip(request)
      }
      unsafe _ = library.pointee.archive_read_set_seek_callback(archive) { _, context, offset, whence in
        unsafe ArchiveHandle.from(context).seek(to: offset, whence: whence)
      }
    }
    unsafe _ = library.pointee.archive_read_set_callback_data(
      archive, Unmanaged.passUnretained(self).toOpaque())
    let status = withNameLocale { unsafe library.pointee.archive_read_open1(archive) }
    _ = try outcome(of: status, call: "archive_read_open1")
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> ArchiveHandle {
    // The context was set by open() and libarchive calls back only while the handle is in use.
    unsafe Unmanaged<ArchiveHandle>.fromOpaque(context.unsafelyUnwrapped).takeUnretainedValue()
  }

  // MARK: Callbacks

  /// Bytes that stay valid until the next call: the source's own if it lends some.
  private func nextBlock(_ start: inout UnsafeRawPointer?) -> la_ssize_t {
    defer { Self.forgetFailure() }
    do throws(ArchiveError) {
      try cancellation?.check()
      let count: Int
      if let lent = unsafe try source.lend() {
        unsafe start = lent.baseAddress
        count = lent.count
      } else {
        unsafe start = UnsafeRawPointer(block.baseAddress)
        var span = unsafe block.mutableBytes
        count = try source.read(into: &span)
      }
      if count == 0 { sourceEnded = true }
      bytesDelivered += Int64(count)
      unsafe lastBlock = UnsafeRawBufferPointer(start: start, count: count)
      return count
    } catch {
      return fail(error)
    }
  }

  private func skip(_ request: la_int64_t) -> la_int64_t {
    guard let source = source.seekable else { return 0 }
    let skipped = max(0, min(request, source.size - source.position))
    source.position += skipped
    bytesDelivered += skipped
    return skipped
  }

  private func seek(to offset: la_int64_t, whence: CInt) -> la_int64_t {
    guard let source = source.seekable else { return la_int64_t(ARCHIVE_FATAL) }
    let base: Int64 =
      switch whence {
      case SEEK_SET: 0
      case SEEK_CUR: source.position
      default: source.size
      }
    let (target, overflow) = base.addingReportingOverflow(offset)
    guard !overflow, target >= 0 else { return la_int64_t(ARCHIVE_FATAL) }
    source.position = target
    return target
  }

  private func fail(_ error: ArchiveError) -> la_ssize_t {
    // The call that led here throws the error; libarchive needs no text.
    sourceFailure = error
    return la_ssize_t(ARCHIVE_FATAL)
  }

  // MARK: Entries

  /// The next entry's header, or nil at the archive's end.
  func nextHeader() throws(ArchiveError) -> Header? {
    var header = try nextEntry()
    while let name = header?.name, isTable(name) { header = try nextEntry() }
    return header
  }

  private func nextEntry() throws(ArchiveError) -> Header? {
    var entry: OpaquePointer?
    return try withNameLocale { () throws(ArchiveError) -> Header? in
      let status = unsafe library.pointee.archive_read_next_header(archive, &entry)
      let warning: String?
      switch try outcome(of: status, call: "archive_read_next_header") {
      case .end: return nil
      case .ok: warning = nil
      case .warning(let text): warning = text
      }
      guard let entry = unsafe entry else { return nil }
      Self.forgetFailure()
      return unsafe Header(entry, by: library, isTar: isTar, warning: warning)
    }
  }

  /// Whether this is one of the tables that ar stores as members, and that ar(1) never shows.
  private func isTable(_ name: [UInt8]) -> Bool {
    guard unsafe library.pointee.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_AR
    else { return false }
    return ["/", "//", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED"].contains { name.elementsEqual($0.utf8) }
  }

  /// Calls `body` with each block of the current entry's content and its offset; returns the content's exact size,
  /// which the last block does not tell when the entry ends in a hole.
  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    var end: Int64 = 0
    while true {
      var start: UnsafeRawPointer?
      var count = 0
      var offset: la_int64_t = 0
      Self.forgetFailure()
      let status = unsafe library.pointee.archive_read_data_block(archive, &start, &count, &offset)
      switch try outcome(of: status, call: "archive_read_data_block") {
      case .end:
        // After the last block there may be a hole up to the declared size; some readers return nonsense here instead.
        return offset == declared ? max(end, offset) : end
      case .warning(let text):
        // zip reports a wrong checksum or size this way, after it has delivered all data.
        throw .corrupt(text, call: "archive_read_data_block")
      case .ok:
        guard let start = unsafe start, count > 0 else { continue }
        let (blockEnd, overflow) = offset.addingReportingOverflow(Int64(count))
        guard offset >= 0, !overflow else {
          throw .corrupt("a block lies at the impossible offset \(offset)")
        }
        try body(unsafe RawSpan(_unsafeStart: start, byteCount: count), offset)
        end = max(end, blockEnd)
      }
    }
  }

  /// Reads on in the current entry's content; 0 at its end. For content without holes.
  ///
  /// Block by block: library.pointee.archive_read_data(3) drops what it has copied before an error.
  func readData(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while unsafe unread.isEmpty {
      var start: UnsafeRawPointer?
      var (count, offset) = (0, la_int64_t(0))
      Self.forgetFailure()
      let status = unsafe library.pointee.archive_read_data_block(archive, &start, &count, &offset)
      switch try outcome(of: status, call: "archive_read_data_block") {
      case .end: return 0
      case .warning(let text): throw .corrupt(text, call: "archive_read_data_block")
      case .ok: unsafe unread = UnsafeRawBufferPointer(start: start, count: count)
      }
    }
    let count = unsafe min(unread.count, buffer.byteCount)
    unsafe buffer.copy(UnsafeRawBufferPointer(rebasing: unread[..<count]).bytes)
    unsafe unread = UnsafeRawBufferPointer(rebasing: unread[count...])
    return count
  }

  /// Whether all bytes of the source have been used; to be called at the end of the content.
  func hasUsedSource() throws(ArchiveError) -> Bool {
    guard unsafe library.pointee.archive_filter_bytes(archive, -1) == bytesDelivered else { return false }
    if sourceEnded { return true }
    var start: UnsafeRawPointer?
    return unsafe nextBlock(&start) == 0
  }

  /// Whether anything but padding follows the end of the archive, for formats that have one: tar and cpio, which writers pad
  /// with zeros. To be called at the end; reads the rest.
  func hasDataAfterEnd() throws(ArchiveError) -> Bool {
    let format = unsafe library.pointee.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK
    guard format == ARCHIVE_FORMAT_TAR || format == ARCHIVE_FORMAT_CPIO else { return false }
    // These formats read the source from the first byte to the last.
    let unused = bytesDelivered - (unsafe library.pointee.archive_filter_bytes(archive, -1))
    guard unsafe UnsafeRawBufferPointer(rebasing: lastBlock.suffix(max(0, Int(unused)))).bytes.isZero else {
      return true
    }
    var start: UnsafeRawPointer?
    while !sourceEnded, unsafe nextBlock(&start) > 0 {
      guard unsafe lastBlock.bytes.isZero else { return true }
    }
    if let sourceFailure { throw sourceFailure }
    return false
  }

  /// Whether it is a tar of any dialect.
  var isTar: Bool {
    unsafe library.pointee.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_TAR
  }

  var isZip: Bool {
    unsafe library.pointee.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_ZIP
  }

  /// Where libarchive began to look for the current entry's header.
  var headerPosition: Int64 { unsafe library.pointee.archive_read_header_position(archive) }

  // MARK: Statuses

  private enum Outcome {
    case ok
    case warning(String)
    case end
  }

  /// libarchive's statuses: EOF ends, WARN is a note, RETRY and FAILED lose this entry, FATAL ends the reading.
  private func outcome(of status: CInt, call: String) throws(ArchiveError) -> Outcome {
    if let sourceFailure {
      isExhausted = true
      throw sourceFailure
    }
    switch status {
    case ARCHIVE_OK: return .ok
    case ARCHIVE_EOF: return .end
    case ARCHIVE_WARN: return .warning(text)
    default:
      isExhausted = isExhausted || status != ARCHIVE_FAILED
      throw error(call)
    }
  }

  /// Whether reading cannot continue: every status below FAILED, and RETRY, which here means that all further headers are
  /// garbage.
  private(set) var isExhausted = false

  /// The text of the last failure, which libarchive sometimes leaves NULL.
  private var text: String {
    unsafe library.pointee.archive_error_string(archive).map { unsafe String(cString: $0) }
      ?? "the archive contradicts its format"
  }

  private func error(_ call: String) -> ArchiveError {
    .libArchive(
      text, call: call, wasRefusedMemory: wasRefusedMemory(during: call), sourceEnded: sourceEnded)
  }

  /// Whether errno(3) tells that memory was refused to a decoder. It does only for RAR, whose filters take what the archive
  /// asks for and do not say what failed: once the heap has run into another mapping, malloc(3) leaves ENOMEM behind when it
  /// succeeds too, so that elsewhere damage would be taken for a lack of memory.
  private func wasRefusedMemory(during call: String) -> Bool {
    guard errno == ENOMEM, call == "archive_read_data_block" else { return false }
    let format = unsafe library.pointee.archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK
    return format == ARCHIVE_FORMAT_RAR || format == ARCHIVE_FORMAT_RAR_V5
  }

  /// Names are converted with the thread's locale. 7z (UTF-16) and flagged zip names need one with UTF-8; pax names are
  /// read in "C", where bytes that cannot be converted are kept as they are: in a UTF-8 locale libarchive would
  /// compose them (NFC), and two names could become one. Only this thread's locale is changed, and put back.
  private func withNameLocale<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let previous = unsafe convertsNames ? clinux_enter_utf8_locale() : clinux_enter_c_locale()
    defer { unsafe clinux_restore_locale(previous) }
    Self.forgetFailure()
    return try body()
  }

  /// libarchive ends the process ("Fatal Internal Error") if a name cannot be converted while errno(3) is ENOMEM,
  /// whatever set it, such as a refused huge folio of ours. To be called before libarchive converts names, and before what
  /// may fail for memory.
  private static func forgetFailure() { errno = 0 }
}
