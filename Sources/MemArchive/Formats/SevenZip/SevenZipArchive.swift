#if FastDecoders
/// A 7z whose header has been read and checked: its entries, and how their contents are packed.
struct SevenZipArchive {
  let files: SevenZipFiles
  let streams: SevenZipStreams
  let decoding: SevenZipDecoding
  /// Where the archive ends in the file.
  let end: Int64
  /// Charged for its memory.
  private let account: EntryAccount

  /// Upper bound of headers packed in headers: 7-Zip packs once.
  private static let mostPacked = 4
  /// Bytes of a packed header that are unpacked, and charged, at once.
  private static let step = 64 << 10

  init(
    _ signature: SevenZipSignature, of content: any SeekableSource, in context: ExtractionContext,
    warnings: WarningLog
  ) throws(ArchiveError) {
    let account = EntryAccount(context.ledger)
    self.account = account
    end = signature.header.upperBound
    guard end <= content.size else {
      throw .truncated("the 7z has its header after \(signature.header.lowerBound) bytes, beyond its end")
    }
    var decoding = SevenZipDecoding(content, context, warnings)
    guard !signature.header.isEmpty else {
      guard signature.packed.isEmpty else { throw .corrupt("the 7z has packed data, and no header") }
      (files, streams, self.decoding) = (SevenZipFiles(), SevenZipStreams(), decoding)
      return
    }
    try account.hold(Int64(signature.header.count), entry: nil)
    var bytes = try content.bytes(signature.header.count, at: signature.header.lowerBound)
    guard bytes.count == signature.header.count else {
      throw .truncated("the 7z has become shorter while it was read")
    }
    var checksum = CRC32()
    unsafe checksum.update(bytes.span.bytes)
    guard checksum.value == signature.headerChecksum else { throw .corrupt("the 7z's header is damaged") }
    var header = SevenZipBytes(bytes)
    var property = try header.property()
    for _ in 0..<Self.mostPacked where property == .encodedHeader {
      let packed = try SevenZipStreams(&header, in: signature.packed, account, context.cancellation)
      guard packed.folders.count == 1 else {
        throw .sevenZipHeader("is packed in \(packed.folders.count) folders")
      }
      bytes = try decoding.header(packed, account, step: Self.step)
      header = SevenZipBytes(bytes)
      property = try header.property()
    }
    guard property == .header else { throw .sevenZipHeader("is of an unknown kind") }
    (files, streams) = try Self.entries(&header, signature, account, context)
    let needed = files.files.count { $0.hasStream }
    guard needed == streams.streams.count else {
      throw .sevenZipHeader("has \(needed) entries with content, and the content of \(streams.streams.count)")
    }
    self.decoding = decoding
  }

  private static func entries(
    _ header: inout SevenZipBytes, _ signature: SevenZipSignature, _ account: EntryAccount,
    _ context: ExtractionContext
  ) throws(ArchiveError) -> (SevenZipFiles, SevenZipStreams) {
    var (files, streams) = (SevenZipFiles(), SevenZipStreams())
    var property = try header.property()
    if property == .archiveProperties {
      while try header.property() != .end { _ = try header.take(try header.count()) }
      property = try header.property()
    }
    if property == .additionalStreams { try throwUnsupported() }
    if property == .mainStreams {
      streams = try SevenZipStreams(&header, in: signature.packed, account, context.cancellation)
      property = try header.property()
    }
    if property == .files {
      files = try SevenZipFiles(&header, context.ledger, account, context.cancellation)
      property = try header.property()
    }
    guard property == .end, header.left == 0 else { throw .sevenZipHeader("does not end where it must") }
    return (files, streams)
  }

  private static func throwUnsupported() throws(ArchiveError) {
    throw .unsupportedCoder("a header that is split over several streams")
  }
}
#endif
