/// The files of one cabinet.
///
/// libarchive (up to 3.8.9) reads none of a set of cabinets, loses files whose names are not in the character set that they
/// claim, and hands out memory that was never written as content (LZX, before 3.8.9).
final class CabReader: EntryParser {
  private let input: FormatInput
  private let content: any SeekableSource
  private let warnings: WarningLog
  private var cabinet: CabHeader?
  private var index = -1
  private var folder: (index: Int, decoder: CabFolder)?
  private var charge: Charge
  private(set) var isExhausted = false

  init(
    _ input: FormatInput, of content: any SeekableSource, in context: ExtractionContext, warnings: WarningLog
  ) {
    self.input = input
    self.content = content
    self.warnings = warnings
    charge = Charge(context.ledger, entry: "cab")
  }

  func nextHeader() throws(ArchiveError) -> Header? {
    // Only content can be damaged without the rest.
    isExhausted = true
    if cabinet == nil { cabinet = try readHeader() }
    guard let cabinet else { return nil }
    index += 1
    guard index < cabinet.files.count else {
      guard content.size >= cabinet.size else { throw .truncated("the cabinet ends before its size says") }
      if try !content.isZero(from: cabinet.size) { warnings.addDataAfterEnd() }
      return nil
    }
    isExhausted = false
    return cabinet.files[index].header
  }

  private func readHeader() throws(ArchiveError) -> CabHeader {
    let cabinet = try CabHeader(input)
    let names = cabinet.files.reduce(0) { $0 + ($1.header.name?.count ?? 0) }
    try charge.hold(Int64(names + cabinet.files.count * MemoryLayout<CabHeader.File>.stride), entry: nil)
    return cabinet
  }

  func forEachBlock(
    declared size: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let cabinet, let size, size > 0 else { return 0 }
    let file = cabinet.files[index]
    guard let number = file.folder, !cabinet.folders[number].isContinued else {
      throw file.isToLater
        ? .laterCabinet
        : ArchiveError(
          .unsupportedFeature, "its folder begins in an earlier cabinet",
          advice: "Unpack the cabinets together by cabextract.")
    }
    guard !file.isMisplaced else { throw .corrupt("it does not begin where the file before it ends") }
    let decoder: CabFolder
    if let folder, folder.index == number {
      decoder = folder.decoder
    } else {
      decoder = try CabFolder(cabinet.folders[number], of: content, reserve: cabinet.blockReserve)
      folder = (number, decoder)
    }
    try decoder.forEachBlock(from: file.offset, size: size, body)
    return size
  }
}
