/// The central directory of a zip whose headers all agree with each other, with the location of each entry's content.
///
/// Agreement is checked before the first entry is returned: readers differ in which of two contradictory headers they
/// believe, and an archive must not change readers halfway. Where each place that is read is costly, an entry's own header is
/// compared when its content is wanted, and a contradiction is that entry's error.
struct ZipDirectory {
  /// The reason that the archive is left to libarchive.
  enum Refusal: Error {
    /// What is wrong with the zip, as the end of a sentence.
    case contradiction(String)
    case source(ArchiveError)
  }

  /// One entry: the offsets of its central header in `bytes`, and of its local header and its content in the file.
  struct Place {
    let record: Int
    let localHeader: Int64
    var content: Int64 = 0
    var defect: ZipDefect?
  }

  /// The entries in file order.
  let places: [Place]
  /// The comment on the whole archive.
  let comment: [UInt8]
  /// What is odd, each as the end of a sentence.
  private(set) var oddities: [String]
  /// Whether libarchive decodes the content of any entry.
  let needsLibArchive: Bool
  private let bytes: [UInt8]
  /// Charged for its memory.
  private let account: EntryAccount
  /// Compares a local header when its content is wanted; nil if all have been compared.
  private let check: LocalHeaderCheck?
  private let readsOverlapping: Bool

  /// The number of headers between two checks of the deadline.
  static let checkedAtOnce = 1024

  /// Larger directories are not kept in memory.
  private static let maximumSize = 1 << 30

  /// Reads the directory and all local headers; nil if the file does not end like a zip.
  ///
  /// - Parameters:
  ///   - beginsAsZip: Whether the first bytes are a zip's.
  ///   - wanted: The number of the only entry that will be read, where all have been compared before.
  ///   - counted: The number of its entries that the ledger has counted.
  ///   - context: Its deadline is checked throughout: a directory may have millions of entries.
  init?(
    _ content: any SeekableSource, beginsAsZip: Bool, only wanted: Int64?, counted: Int = 0,
    in context: ExtractionContext
  ) throws(Refusal) {
    let (ledger, cancellation) = (context.ledger, context.cancellation)
    guard let end = try ZipEnd(content, beginsAsZip: beginsAsZip, cancellation: cancellation) else {
      return nil
    }
    try Self.reading { () throws(ArchiveError) in
      try ledger.check(stated: end.count - min(end.count, UInt64(counted)))
    }
    guard end.directory.count <= Self.maximumSize else {
      throw .contradiction("has a directory of \(end.directory.count) bytes")
    }
    let account = EntryAccount(ledger)
    self.account = account
    bytes = try Self.reading { () throws(ArchiveError) in
      // Plus the entries' offsets; each entry takes at least 46 bytes of the directory.
      try account.hold(2 * Int64(end.directory.count), entry: nil)
      return try content.bytes(end.directory.count, at: end.directory.lowerBound)
    }
    comment = end.comment
    oddities = end.oddity.map { [$0] } ?? []
    var (places, needsLibArchive) = try Self.places(in: bytes, end, cancellation)
    self.needsLibArchive = needsLibArchive
    guard !places.isEmpty || end.count == 0 else {
      throw .contradiction("has no directory, and its end counts \(end.count) entries")
    }
    if UInt64(places.count) != end.count {
      oddities.append("has \(places.count) entries, and its end counts \(end.count)")
    }
    if !zip(places, places.dropFirst()).allSatisfy({ $0.localHeader <= $1.localHeader }) {
      places.sort { ($0.localHeader, $0.record) < ($1.localHeader, $1.record) }
    }
    readsOverlapping = context.options.overlappingEntries == .read
    let check = LocalHeaderCheck(
      places: places, directory: bytes, end: end.directory.lowerBound, sharesHeaders: readsOverlapping,
      source: SharedSource(content), cancellation: cancellation)
    self.check = content.isCostly ? check : nil
    guard !content.isCostly else {
      self.places = places
      return
    }
    var contradiction: String?
    let compared = wanted.map { Int(clamping: $0)..<Int(clamping: $0) + 1 }?.clamped(to: places.indices)
    for part in try check.run(compared ?? places.indices, threads: context.threads) {
      contradiction = contradiction ?? part.contradiction
      for (index, content) in zip(part.range, part.contents) { places[index].content = content }
      for (index, defect) in part.defects where defect != .overlap || !readsOverlapping {
        places[index].defect = defect
      }
    }
    if let contradiction {
      // libarchive would read each of them.
      for place in places where place.defect == .overlap {
        guard let record = ZipRecord(central: bytes, at: place.record) else { continue }
        throw .source(ZipDefect.overlap.error(record).naming(EntryName.key(record.name)))
      }
      throw .contradiction(contradiction)
    }
    self.places = places
  }

  /// Whether all local headers have been compared.
  var isChecked: Bool { check == nil }

  /// The entry of this number with the place of its content, and with what keeps it from being read.
  ///
  /// - Throws: `corrupt` if its headers contradict each other.
  func checkedPlace(_ index: Int) throws(ArchiveError) -> Place {
    guard let check, places[index].defect == nil else { return places[index] }
    let part: LocalHeaderCheck.Part
    do throws(Refusal) { part = try check.look(at: index..<index + 1) } catch {
      switch error {
      case .source(let error): throw error
      case .contradiction(let text): throw .corrupt("the zip \(text)")
      }
    }
    var place = places[index]
    place.content = part.contents[0]
    place.defect = part.defects.lazy.map(\.1).first { $0 != .overlap || !readsOverlapping }
    if place.defect == nil, let text = part.contradiction { throw .corrupt("the zip \(text)") }
    return place
  }

  /// The central header of an entry.
  func record(_ place: Place) -> ZipRecord? { ZipRecord(central: bytes, at: place.record) }

  /// All entries in the directory's order, without the offsets of their content, and whether libarchive decodes any of them.
  private static func places(
    in bytes: [UInt8], _ end: ZipEnd, _ cancellation: Cancellation
  ) throws(Refusal) -> ([Place], needsLibArchive: Bool) {
    var (places, needsLibArchive): ([Place], Bool) = ([], false)
    var offset = 0
    while offset < bytes.count {
      if places.count % checkedAtOnce == 0 {
        try reading { () throws(ArchiveError) in try cancellation.check() }
      }
      guard let record = ZipRecord(central: bytes, at: offset) else {
        if UInt64(places.count) == end.count, isSignature(bytes, at: offset) { break }
        throw .contradiction("has a directory that is not one from its beginning to its end")
      }
      let (start, overflow) = Int64(record.localOffset).addingReportingOverflow(end.prefix)
      var defect = record.extra.defect
      // All ones: the number is in the zip64 field, which has others in front of it.
      if record.disk != end.disk, record.disk != .max { defect = defect ?? .elsewhere }
      if overflow || start >= end.directory.lowerBound { defect = defect ?? .outside }
      // What cannot be found comes after all others.
      places.append(
        Place(record: offset, localHeader: defect == nil ? start : end.directory.lowerBound, defect: defect))
      needsLibArchive = needsLibArchive || record.isLeftToLibArchive
      offset += record.length
    }
    return (places, needsLibArchive)
  }

  /// Whether the rest is the directory's digital signature (4.3.13), which is not verified.
  private static func isSignature(_ bytes: [UInt8], at offset: Int) -> Bool {
    bytes.count - offset >= 6 && bytes.little(UInt32.self, at: offset) == 0x0505_4B50
      && bytes.count - offset == 6 + Int(bytes.little(UInt16.self, at: offset + 4))
  }

  /// The local header at `offset`.
  static func local(
    _ headers: inout HeaderWindow, at offset: Int64, nameLength: Int
  ) throws(Refusal) -> ZipRecord {
    // Large enough for most extra fields.
    let expected = ZipRecord.localFixedLength + nameLength + 64
    var start = try reading { () throws(ArchiveError) in try headers.place(expected, at: offset) }
    if let length = ZipRecord.localLength(headers.bytes, at: start), length > headers.bytes.count - start {
      start = try reading { () throws(ArchiveError) in try headers.place(length, at: offset) }
    }
    guard let local = ZipRecord(local: headers.bytes, at: start) else {
      throw .contradiction("has no entry at \(offset), where its directory says one is")
    }
    return local
  }

  /// Errors of the source pass through as they are.
  static func reading<Result>(_ body: () throws(ArchiveError) -> Result) throws(Refusal) -> Result {
    do throws(ArchiveError) { return try body() } catch { throw .source(error) }
  }
}

extension ZipRecord {
  /// Whether the content is decoded without libarchive: stored, deflated or bzip2, neither encrypted nor a patch.
  var isReadHere: Bool { flags & (1 | 1 << 5) == 0 && ([0, 8, 12].contains(method) || isEmptyLZMA) }

  /// libarchive (all versions up to 3.8.9) takes the end marker of an empty LZMA stream for damage.
  private var isEmptyLZMA: Bool { method == 14 && size == 0 }
}

/// Local headers, read in file order: those of small neighbors are read with one call.
struct HeaderWindow {
  private let source: SharedSource
  private(set) var bytes: [UInt8] = []
  private var start: Int64 = 0
  private static let size = 64 << 10

  init(_ source: SharedSource) { self.source = source }

  /// Reads `count` bytes from `offset` on, fewer only at the end, and returns their offset in `bytes`.
  mutating func place(_ count: Int, at offset: Int64) throws(ArchiveError) -> Int {
    // Written so that no sum can overflow: a file may be as long as an Int64 can express.
    if offset < start || Int64(count) > Int64(bytes.count) - (offset - start) {
      let isNear = offset >= start && offset - start < 2 * Int64(Self.size)
      bytes = try source.bytes(isNear ? max(count, Self.size) : count, at: offset)
      start = offset
    }
    return Int(offset - start)
  }
}
