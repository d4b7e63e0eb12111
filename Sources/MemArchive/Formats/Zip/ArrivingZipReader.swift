/// Reads a zip by its local headers while it arrives, and compares what has come out with the directory when that is there.
///
/// From the first entry on whose end its local header does not tell, the rest is kept, and read by the directory.
final class ArrivingZipReader: EntryParser {
  /// An entry that has come out, or is about to.
  private struct Arrived {
    /// Where its local header begins.
    let offset: Int64
    let isDirectory: Bool
    /// What its content turned out to be, if its header does not say.
    var content: Measured?
  }

  /// Content, as far as it has been read.
  private struct Measured {
    var checksum = CRC32()
    var size: UInt64 = 0
    /// In all.
    var compressedSize: UInt64 = 0
  }

  /// The entry whose content comes next in the source.
  private struct Current {
    let record: ZipRecord
    let end: ZipRecord.ContentEnd
    let start: Int64
    /// Where the next header begins, if that is known.
    var next: Int64?
    /// Where not: decodes the content, once it has begun.
    var decoder: (any ByteSource)?
    var measured = Measured()
  }

  private let source: ArrivingSource
  /// For content whose end is known.
  private let contentReader: ZipContentReader
  private var deflated: DeflatedContent?
  private var block: [UInt8] = []
  private let context: ExtractionContext
  private let warnings: WarningLog
  /// Charged for what is kept of entries.
  private let account: EntryAccount
  private var arrived: [Arrived] = []
  private var headers = ArrivedHeaders()
  private var current: Current?
  /// Where the next header begins.
  private var position: Int64 = 0
  /// Reads what has not come out, once the directory is there.
  private var rest: ZipReader?
  /// The error of all that follows an entry whose end cannot be found.
  private var loss: ArchiveError?
  private(set) var isExhausted = false

  /// nil if not even the first entry comes out before the directory is read; then nothing of the source has been.
  init?(
    _ source: BufferedSource, in context: ExtractionContext, warnings: WarningLog
  ) throws(ArchiveError) {
    let head = try source.peek(ZipRecord.localFixedLength)
    guard let length = ZipRecord.localLength(head, at: 0),
      let record = ZipRecord(local: Array(try source.peek(length)), at: 0), let end = record.contentEnd
    else { return nil }
    if end == .nothing {
      let bytes = try source.peek(length + ZipRecord.emptyDescriptor.count)
      guard bytes[length...].starts(with: ZipRecord.emptyDescriptor) else { return nil }
    }
    self.source = ArrivingSource(source)
    (self.context, self.warnings) = (context, warnings)
    contentReader = ZipContentReader(SharedSource(self.source), readsAhead: false)
    account = EntryAccount(context.ledger)
  }

  func nextHeader() throws(ArchiveError) -> Header? {
    if let rest { return try rest.nextHeader() }
    guard !isExhausted else { return nil }
    do throws(ArchiveError) {
      // Or else an end without an error would say that the directory agrees.
      if let loss { throw loss }
      try leaveEntry()
      if let header = try nextLocalHeader() { return header }
      rest = try restByDirectory()
      isExhausted = rest == nil
      return try rest?.nextHeader()
    } catch {
      isExhausted = isExhausted || rest == nil
      throw error
    }
  }

  /// Proceeds to the end of the current entry.
  private func leaveEntry() throws(ArchiveError) {
    guard let entry = current else { return }
    do throws(ArchiveError) {
      if entry.next == nil {
        try measure { (_, _) throws(ArchiveError) in try context.cancellation.check() }
      }
      guard let next = current?.next, try source.skip(to: next) else { throw truncated }
      (position, current) = (next, nil)
    } catch {
      throw error.naming(EntryName.key(entry.record.name))
    }
  }

  private var truncated: ArchiveError { .truncated("the zip ends inside an entry") }

  /// The next entry's header; nil if the directory has to be read for it, or there is none.
  private func nextLocalHeader() throws(ArchiveError) -> Header? {
    var bytes = try source.bytes(ZipRecord.localFixedLength, at: position)
    if let length = ZipRecord.localLength(bytes, at: 0) {
      bytes += try source.bytes(length - bytes.count, at: position + Int64(bytes.count))
    }
    try account.hold(Int64(bytes.count) + ArrivedHeaders.cost, entry: nil)
    headers.append(bytes, at: position)
    let start = position + Int64(bytes.count)
    guard let record = ZipRecord(local: bytes, at: 0), let end = record.contentEnd else { return nil }
    if end == .nothing {
      guard try beginsWithEmptyDescriptor(start) else { return nil }
    }
    current = Current(
      record: record, end: end, start: start,
      next: record.hasDataDescriptor ? nil : start.advanced(by: record.compressedSize))
    let isDirectory = record.rawName.last == UInt8(ascii: "/")
    arrived.append(Arrived(offset: position, isDirectory: isDirectory))
    return header(of: record, isDirectory: isDirectory)
  }

  private func header(of record: ZipRecord, isDirectory: Bool) -> Header {
    var header = record.header(isDirectory ? .directory : .file, nil)
    if record.hasDataDescriptor {
      if !isDirectory, !record.statesSize { header.size = nil }
      header.packing.compression = .init(zip: record.method)
    } else {
      header.packing = record.packing
    }
    if record.extra.isCut { header.note("a malformed extra field is ignored") }
    header.take([record.extra], record.date)
    return header
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    if let rest { return try rest.forEachBlock(declared: declared, body) }
    guard let entry = current else { return 0 }
    guard entry.next != nil else { return try measure(body) }
    do throws(ArchiveError) {
      return try contentReader.forEachBlock(of: ZipContent(entry.record, start: entry.start), body)
    } catch {
      guard source.isAtEnd, error.code == .truncated else { throw error }
      loss = Self.noDirectory
      throw truncated
    }
  }

  /// Reads the current entry's content, or the rest of it, and what follows it says of it; returns its size.
  @discardableResult private func measure(
    _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    // Moved out and back, so that writing to it copies nothing.
    var block = self.block
    self.block = []
    defer { self.block = block }
    ZipContentReader.reserve(.max, in: &block)
    while let count = try findingEnd({ () throws(ArchiveError) in try decode(into: &block) }) {
      let offset = Int64(current?.measured.size ?? 0)
      unsafe current?.measured.checksum.update(block.span.bytes.extracting(0..<count))
      current?.measured.size += UInt64(count)
      try unsafe body(block.span.bytes.extracting(0..<count), offset)
    }
    return Int64(current?.measured.size ?? 0)
  }

  /// Decodes the next bytes of the current entry, and returns their number; nil at its end, when what follows agrees.
  private func decode(into block: inout [UInt8]) throws(ArchiveError) -> Int? {
    guard let entry = current else { return nil }
    var decoder = entry.decoder
    if decoder == nil { decoder = try self.decoder(of: entry) }
    current?.decoder = decoder
    if let decoder {
      let count = try decoder.read(into: &block)
      guard count == 0 else { return count }
    }
    var measured = entry.measured
    measured.compressedSize = UInt64((decoder as? DeflatedContent)?.used ?? Int64(measured.size))
    let end = entry.start.advanced(by: measured.compressedSize)
    current?.next =
      end + Int64(try descriptorLength(of: measured, at: end, isWide: entry.record.extra.isWide))
    arrived[arrived.count - 1].content = measured
    return nil
  }

  /// nil if there is nothing to decode.
  private func decoder(of entry: Current) throws(ArchiveError) -> (any ByteSource)? {
    if entry.end == .size {
      return SharedSource(source).part(entry.start..<entry.start.advanced(by: entry.record.compressedSize))
    }
    if try beginsWithEmptyDescriptor(entry.start) { return nil }
    let deflated: DeflatedContent
    if let existing = self.deflated {
      deflated = existing
    } else {
      deflated = try DeflatedContent(SharedSource(source))
    }
    self.deflated = deflated
    deflated.begin(ZipContent(deflatedAt: entry.start))
    return deflated
  }

  /// An error in this means that nothing tells where the next entry begins.
  private func findingEnd<Result>(_ body: () throws(ArchiveError) -> Result) throws(ArchiveError) -> Result {
    do throws(ArchiveError) { return try body() } catch {
      let isAtEnd = source.isAtEnd && error.code == .truncated
      loss =
        isAtEnd
        ? Self.noDirectory
        : Self.disagreement("nothing tells what follows an entry that is damaged", entry: nil)
      throw isAtEnd ? truncated : error
    }
  }

  private static var noDirectory: ArchiveError { .truncated("the zip ends before its directory does") }

  /// Whether nothing is in front of a data descriptor, as Info-ZIP writes empty files to a pipe. Deflate never begins so.
  private func beginsWithEmptyDescriptor(_ offset: Int64) throws(ArchiveError) -> Bool {
    let descriptor = ZipRecord.emptyDescriptor
    // No more than has to be there is waited for.
    guard try source.bytes(4, at: offset).elementsEqual(descriptor.prefix(4)) else { return false }
    return try source.bytes(descriptor.count, at: offset) == descriptor
  }

  /// The length of the data descriptor behind content (4.3.9), which has to agree with it. Writers differ in whether it has a signature,
  /// and some in when it has large sizes.
  private func descriptorLength(
    of content: Measured, at offset: Int64, isWide: Bool
  ) throws(ArchiveError) -> Int {
    let signature = ZipRecord.emptyDescriptor.prefix(4)
    let isSigned = try source.bytes(4, at: offset).elementsEqual(signature)
    let checksum = content.checksum.value.littleEndianBytes
    var forms: [[UInt8]] = []
    for isWide in [isWide, !isWide] {
      let sizes = [content.compressedSize, content.size]
      guard isWide || sizes.allSatisfy({ $0 <= UInt64(UInt32.max) }) else { continue }
      let numbers = checksum + sizes.flatMap { $0.littleEndianBytes.prefix(isWide ? 8 : 4) }
      forms += isSigned ? [signature + numbers, numbers] : [numbers]
    }
    for form in forms where try source.bytes(form.count, at: offset) == form { return form.count }
    let stated = try source.bytes(16, at: offset).dropFirst(isSigned ? 4 : 0)
    guard stated.count >= 12 else { throw truncated }
    let wrong = stated.starts(with: checksum) ? "sizes" : "checksum"
    throw .corrupt("the \(wrong) behind the content, of \(content.size) bytes, are not those of the content")
  }

  // MARK: The directory

  /// Keeps the rest, and compares the directory with what has come out; nil if that is all.
  private func restByDirectory() throws(ArchiveError) -> ZipReader? {
    let boundary = position
    source.position = headers.end
    let zip = ArrivedZip(headers, followedBy: try Spool.seekable(source, ledger: context.ledger))
    let directory: ZipDirectory?
    do throws(ZipDirectory.Refusal) {
      directory = try ZipDirectory(
        zip, beginsAsZip: true, only: nil, counted: arrived.count, in: context)
    } catch {
      switch error {
      case .source(let error): throw error
      case .contradiction(let text): throw Self.disagreement("the zip \(text)", entry: nil)
      }
    }
    guard let directory else { throw Self.noDirectory }
    for text in directory.oddities { warnings.add("the zip " + text) }
    let first = try compare(directory, before: boundary)
    guard first < directory.places.count else { return nil }
    if directory.needsLibArchive { try LibArchive.checkReach() }
    let reader = ZipReader(directory, of: zip, in: context)
    try reader.begin(at: Int64(first))
    return reader
  }

  /// Throws unless the directory has just those entries in front of `boundary` that have come out, and says the same of each.
  /// Returns the number of the first that has not come out.
  private func compare(_ directory: ZipDirectory, before boundary: Int64) throws(ArchiveError) -> Int {
    let places = directory.places
    for (index, arrived) in arrived.enumerated() {
      if index % ZipDirectory.checkedAtOnce == 0 { try context.cancellation.check() }
      guard let local = headers.record(at: arrived.offset) else { throw .changed() }
      guard index < places.count, case let place = places[index], place.localHeader <= arrived.offset else {
        throw Self.disagreement("the directory does not list the entry", entry: local)
      }
      guard let record = directory.record(place) else { throw .changed() }
      guard place.localHeader == arrived.offset else { throw Self.unexpected(record, place) }
      if let defect = place.defect { throw defect.error(record).naming(EntryName.key(record.name)) }
      try compare(record, with: local, arrived)
    }
    if arrived.count < places.count, case let place = places[arrived.count], place.localHeader < boundary,
      let record = directory.record(place)
    {
      throw Self.unexpected(record, place)
    }
    return arrived.count
  }

  /// - Parameter local: Has been compared already, as far as it says the same.
  private func compare(
    _ central: ZipRecord, with local: ZipRecord, _ arrived: Arrived
  ) throws(ArchiveError) {
    guard central.name == local.name else {
      throw Self.disagreement(
        "the directory calls the entry \"\(EntryName.key(central.name))\"", entry: local)
    }
    // Such as a flag that only the directory's header has.
    guard central.isReadHere else {
      throw Self.disagreement("the directory has the entry stored in another way", entry: local)
    }
    if let content = arrived.content {
      guard central.checksum == content.checksum.value, central.compressedSize == content.compressedSize,
        central.size == content.size
      else {
        throw Self.disagreement("the directory has another size or checksum for the entry", entry: local)
      }
    }
    let kind = central.kindAndMode.0
    guard kind == (arrived.isDirectory ? .directory : .file) else {
      throw ArchiveError(
        .unsupportedFeature, entry: EntryName.key(local.name),
        "the directory says that it is a \(kind.rawValue), which no local header tells", advice: .readZipWhole
      )
    }
  }

  private static func unexpected(_ central: ZipRecord, _ place: ZipDirectory.Place) -> ArchiveError {
    disagreement(
      "the directory has an entry at \(place.localHeader), where none has come out", entry: central)
  }

  private static func disagreement(_ reason: String, entry: ZipRecord?) -> ArchiveError {
    ArchiveError(
      .corrupt, entry: entry.map { EntryName.key($0.name) }, reason, advice: .readZipWhole)
  }
}

extension Int64 {
  /// The offset behind as many bytes, or the largest one.
  fileprivate func advanced(by count: UInt64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(Int64(clamping: count))
    return overflow ? .max : sum
  }
}

extension ZipRecord {
  /// What tells, by its local header, where an entry's content ends.
  fileprivate enum ContentEnd {
    /// Its size.
    case size
    /// Its own stream, and then a data descriptor.
    case stream
    /// An empty data descriptor, if one follows.
    case nothing
  }

  /// A data descriptor with a signature, of an empty file.
  fileprivate static let emptyDescriptor: [UInt8] = [0x50, 0x4B, 7, 8] + [UInt8](repeating: 0, count: 12)

  /// nil if only the directory tells, or the content is not read here.
  fileprivate var contentEnd: ContentEnd? {
    // Strong encryption, masked headers.
    guard isReadHere, flags & (1 << 6 | 1 << 13) == 0, extra.defect == nil, !rawName.isEmpty else {
      return nil
    }
    let isStored = method == 0
    if !hasDataDescriptor { return !isStored || compressedSize == size ? .size : nil }
    if method == 8 { return .stream }
    guard isStored else { return nil }
    return statesSize && compressedSize == size ? .size : .nothing
  }

  /// Whether the size is in the header although a data descriptor follows.
  fileprivate var statesSize: Bool { size != 0 && size != UInt64(UInt32.max) }
}
