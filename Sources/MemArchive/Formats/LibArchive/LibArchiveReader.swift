/// The entries of an archive as libarchive reads them, with workarounds for its defects.
///
/// Each workaround says which versions of libarchive need it, and `LibArchiveFaultTests` shows when it can be removed.
final class LibArchiveReader: EntryParser {
  private let handle: ArchiveHandle
  private let content: any ByteSource
  private let chain: FilterChain
  private let warnings: WarningLog
  private let context: ExtractionContext
  private let cancellation: Cancellation
  /// nil if it is no RAR.
  private let rar: RAREntries?
  /// Whether it is a zip that is read by its local headers because it does not end like a zip.
  private let isZip: Bool
  /// Known once the first entry of a zip has been read.
  private var cutNames: CutNames?
  private var isEmpty = true
  private var contradiction: String?
  private var isAtEnd = false

  /// - Parameter formats: The formats to try.
  init(
    _ content: any ByteSource, _ chain: FilterChain, formats: ArchiveFormats, in context: ExtractionContext,
    warnings: WarningLog
  ) throws(ArchiveError) {
    self.content = content
    self.chain = chain
    self.warnings = warnings
    self.context = context
    cancellation = context.cancellation
    isZip = formats == .zip
    if isZip, let content = content.seekable { try Self.refuseFirstPart(content) }
    // libarchive reads the whole directory at once, whatever is wrong with it.
    if isZip, let count = try ZipEnd.count(in: content) { try context.ledger.check(stated: UInt64(count)) }
    if !formats.isDisjoint(with: [.rar, .rar5]), let content = content.seekable {
      let headers = try RARHeaders(content, context.cancellation, context.ledger)
      rar = headers.files.isEmpty ? nil : RAREntries(headers)
    } else {
      rar = nil
    }
    handle = try ArchiveHandle.entries(of: content, head: chain.head, formats: formats, in: context)
  }

  var isExhausted: Bool { isAtEnd || (handle.isExhausted && rar?.hasMore != true) }

  func nextHeader() throws(ArchiveError) -> Header? {
    guard var header = try nextOfHandle() else {
      isAtEnd = true
      try checkEnd()
      return nil
    }
    isEmpty = false
    if handle.isZip, let name = header.name, let content = content.seekable {
      let names = if let cutNames { cutNames } else { try CutNames(content, in: context) }
      cutNames = names
      guard !names.contains(name) else { throw .nulInName(EntryName.key(name)) }
    }
    // A 7z need not name its only entry. If there is a warning, libarchive could not convert the name.
    if header.name == nil, header.warning == nil { header.name = chain.nameOfNameless }
    // All versions (up to 3.8.9) warn if a zip's directory has another size or checksum than the local header, and then use
    // the local one.
    contradiction = header.warning.flatMap { $0.hasPrefix("Inconsistent") ? $0 : nil }
    if let file = rar?.current {
      header.isEncrypted = header.isEncrypted || file.header.isEncrypted
      header.packing = file.header.packing
      if file.hasUnverifiedHash { header.noteWhenRead = "the content's BLAKE2sp hash was not verified" }
    }
    return header
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    // libarchive before 3.8 returns encrypted content of RAR 5 as if it were not encrypted, and all versions that of RAR 4.
    if let refusal = rar?.current?.refusal { throw refusal }
    if let contradiction { throw .corrupt(contradiction, call: "archive_read_next_header") }
    guard let wanted = rar?.current?.checksum else {
      return try handle.forEachBlock(declared: declared, body)
    }
    var checksum = CRC32()
    let size = try handle.forEachBlock(declared: declared) { (block, offset) throws(ArchiveError) in
      checksum.update(block)
      try body(block, offset)
    }
    try checksum.check(against: wanted)
    return size
  }

  /// Only the last part of a split zip has an end record; the first begins with a marker (APPNOTE 8.5.3).
  private static func refuseFirstPart(_ content: any SeekableSource) throws(ArchiveError) {
    let head = try content.bytes(8, at: 0)
    if head.elementsEqual([0x50, 0x4B, 7, 8, 0x50, 0x4B, 3, 4]), try ZipEnd.count(in: content) == nil {
      throw .splitZip("the zip is the first of several parts")
    }
  }

  private func nextOfHandle() throws(ArchiveError) -> Header? {
    guard let rar else { return try handle.nextHeader() }
    return try rar.next { () throws(ArchiveError) in
      try handle.nextHeader().map { ($0, handle.headerPosition) }
    }
  }

  // MARK: The end

  /// Reports at an archive's end what no version of libarchive (up to 3.8.9) does: that entries are missing, or that data
  /// follows.
  private func checkEnd() throws(ArchiveError) {
    // The local headers may not show all entries.
    if isZip, try ZipEnd.count(in: content) == nil { throw .truncated("the zip has no end record") }
    if isEmpty { try checkEmptiness() }
    // GNU tar and POSIX archives end with two blocks of zeros; without them, entries may be missing.
    if handle.isTar, handle.sourceEnded, !isEmpty { warnings.addMissingEnd() }
    if handle.isTar, let content = content.seekable, try ZipEnd.isAtEnd(of: content) {
      warnings.add("it ends like a zip archive: pin formats to .zip to read it as one")
    } else if try hasDataAfterEnd() {
      warnings.addDataAfterEnd()
    }
  }

  /// Throws if libarchive found no entries although the end of a zip counts some, or a 7z is longer than the header of an
  /// empty one.
  private func checkEmptiness() throws(ArchiveError) {
    guard let content = content.seekable else { return }
    switch chain.format {
    case .sevenZip:
      guard content.size > Int64(Self.sevenZipHeaderSize) else { return }
      throw .corrupt("no entry can be found in \(content.size) bytes of 7z")
    case .zip, nil:
      let count = try ZipEnd.count(in: content) ?? 0
      if count == 0, isZip, (try? ZipEnd.beginsWithEntry(content)) == true {
        throw .corrupt("the zip begins with an entry, and none can be read")
      }
      guard count > 0 else { return }
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
      // The writer of a pipe may have more data, for another reader.
      return false
    }
    return try handle.hasDataAfterEnd()
  }

  private static let sevenZipHeaderSize = 32

  /// Where a 7z ends, by its signature header (7zFormat.txt, "SignatureHeader"); nil if that is impossible.
  private static func sevenZipEnd(_ head: [UInt8]) -> Int64? {
    guard head.count >= sevenZipHeaderSize else { return nil }
    let (offset, size) = (head.little(UInt64.self, at: 12), head.little(UInt64.self, at: 20))
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end < UInt64(Int64.max) - UInt64(sevenZipHeaderSize) else { return nil }
    return Int64(sevenZipHeaderSize) + Int64(end)
  }
}
