/// The entries of an archive as libarchive reads them, and what has to be added to that.
///
/// Each addition says which versions of libarchive it is for, and `LibArchiveFaultTests` tell when it can go.
final class LibArchiveReader: EntryParser {
  private let handle: ArchiveHandle
  private let content: any ByteSource
  private let chain: FilterChain
  private let warnings: WarningLog
  private let cancellation: Cancellation
  private let cpio: CpioChecksums?
  /// By position; nil before the first entry.
  private var rarFiles: [RARHeaders.File]?
  /// Whether it is a zip that is read by its local headers, where it does not end like one.
  private let isZip: Bool
  private var position = -1
  private var isEmpty = true
  private var contradiction: String?
  private var isAtEnd = false

  /// - Parameter formats: Those that the content is offered to.
  init(
    _ content: any ByteSource, _ chain: FilterChain, formats: ArchiveFormats, in context: ExtractionContext,
    warnings: WarningLog
  ) throws(ArchiveError) {
    self.content = content
    self.chain = chain
    self.warnings = warnings
    cancellation = context.cancellation
    cpio = CpioChecksums.areIn(chain.head) ? CpioChecksums(content) : nil
    isZip = formats == .zip
    // libarchive reads the directory at once, whatever is wrong with it.
    if isZip, let count = try ZipEnd.count(in: content) { try context.ledger.check(stated: UInt64(count)) }
    handle = try ArchiveHandle.entries(
      of: cpio ?? content, head: chain.head, formats: formats, in: context)
  }

  var isExhausted: Bool { isAtEnd || handle.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    position += 1
    cpio?.forget(before: position)
    guard var header = try handle.nextHeader() else {
      isAtEnd = true
      try checkEnd()
      return nil
    }
    isEmpty = false
    if rarFiles == nil { rarFiles = try readRARFiles() }
    // A 7z need not name its only entry. With a warning, it is libarchive that has no name for it.
    if header.name == nil, header.warning == nil { header.name = chain.nameOfNameless }
    // All versions (to 3.8.9) tell that the zip's directory has another size or checksum than the local header, and go on by
    // the local one.
    contradiction = header.warning.flatMap { $0.hasPrefix("Inconsistent") ? $0 : nil }
    if let rarFile {
      header.isEncrypted = header.isEncrypted || rarFile.isEncrypted
      if rarFile.hasUnverifiedHash { header.noteWhenRead = "the content's BLAKE2sp hash was not verified" }
    }
    return header
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    // libarchive before 3.8 hands out what is encrypted as if it were not.
    if rarFile?.isEncrypted == true {
      throw ArchiveError(
        .unsupportedFeature, "encrypted RAR 5 content is not decrypted",
        advice: "Unpack it with RAR's own program, and pack it again as zip.")
    }
    if let contradiction { throw .corrupt(contradiction, call: "archive_read_next_header") }
    var size: Int64
    if let wanted = rarFile?.checksum {
      var checksum = CRC32()
      size = try handle.forEachBlock(declared: declared) { (block, offset) throws(ArchiveError) in
        checksum.update(block)
        try body(block, offset)
      }
      try checksum.check(against: wanted)
    } else {
      size = try handle.forEachBlock(declared: declared, body)
    }
    try cpio?.check(at: position)
    return size
  }

  private var rarFile: RARHeaders.File? {
    guard let rarFiles, rarFiles.indices.contains(position) else { return nil }
    return rarFiles[position]
  }

  private func readRARFiles() throws(ArchiveError) -> [RARHeaders.File] {
    guard handle.isRAR, let content = content.seekable else { return [] }
    return try RARHeaders(content, cancellation).files
  }

  // MARK: The end

  /// What no version of libarchive (to 3.8.9) says where an archive ends: that more was announced, or that more follows.
  private func checkEnd() throws(ArchiveError) {
    if cpio?.isLost == true { throw .corrupt("an entry of the cpio does not end where its header says") }
    // What the local headers tell may not be all there was.
    if isZip, try ZipEnd.count(in: content) == nil { throw .truncated("the zip has no end record") }
    if position == 0 { try checkEmptiness() }
    // GNU tar and POSIX end with two blocks of zeros; without them, nobody can tell whether entries are missing.
    if handle.isTar, handle.sourceEnded, !isEmpty { warnings.add("the end-of-archive marker is missing") }
    if handle.isTar, try ZipEnd.isAtEnd(of: content) {
      warnings.add("it ends like a zip archive: pin formats to .zip to read it as one")
    } else if try hasDataAfterEnd() {
      warnings.add("data behind the end of the archive was ignored")
    }
  }

  /// Throws where libarchive found no entry and the end of a zip counts some, or a 7z is longer than the header of an empty
  /// one.
  private func checkEmptiness() throws(ArchiveError) {
    guard let content = content.seekable else { return }
    switch chain.format {
    case .sevenZip:
      guard content.size > Int64(Self.sevenZipHeaderSize) else { return }
      throw .corrupt("no entry can be found in \(content.size) bytes of 7z")
    case .zip, nil:
      guard let count = try ZipEnd.count(in: content), count > 0 else { return }
      throw .corrupt("the zip's central directory cannot be read; its end counts \(count) entries")
    default: return
    }
  }

  private func hasDataAfterEnd() throws(ArchiveError) -> Bool {
    if let content = content.seekable {
      if chain.format == .sevenZip, let end = Self.sevenZipEnd(chain.head) {
        return try !content.isZero(from: end)
      }
    } else if !chain.isCompressed {
      // A pipe whose writer has more to say, later and to somebody else.
      return false
    }
    return try handle.hasDataAfterEnd()
  }

  private static let sevenZipHeaderSize = 32

  /// Where a 7z ends, by its signature header (7zFormat.txt, "SignatureHeader"); nil where that cannot be right.
  private static func sevenZipEnd(_ head: [UInt8]) -> Int64? {
    guard head.count >= sevenZipHeaderSize else { return nil }
    let (offset, size) = (head.little(UInt64.self, at: 12), head.little(UInt64.self, at: 20))
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end < UInt64(Int64.max) - UInt64(sevenZipHeaderSize) else { return nil }
    return Int64(sevenZipHeaderSize) + Int64(end)
  }
}
