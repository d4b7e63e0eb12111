/// The entries of a tar in all its dialects: v7, POSIX ustar and pax, GNU and star, with or without sparse files.
///
/// libarchive (up to 3.8.9) ignores global pax headers, takes the real size of a sparse file without a map, and reads a
/// later volume and half of a malformed header as if they were whole.
final class TarReader: EntryParser {
  private let input: FormatInput
  private let warnings: WarningLog
  /// All of it, if it is not compressed.
  private let content: (any SeekableSource)?
  private let cancellation: Cancellation
  private var block: [UInt8] = []
  private var globals = PaxRecords()
  /// Whether there was any pax header, which decides about hard links with content.
  private var isPax = false
  private var isEmpty = true
  /// Whether a damaged header has been reported: the next one is looked for.
  private var isLost = false
  private var size: Int64 = 0
  private var map: SparseMap?
  /// For the map.
  private var charge: Charge
  private var held: Int64 = 0
  /// Where the current entry's content ends, and where the next header begins.
  private var (contentEnd, next): (Int64, Int64) = (0, 0)
  private(set) var place: Int64?

  /// Upper bound in bytes of the extended headers of one entry. GNU tar and Python have none.
  private static let mostExtended: Int64 = 4 << 20
  /// Upper bound of extended headers before one entry.
  private static let mostPrefaces = 256
  /// Beyond that, a size is taken for damage.
  private static let mostPossible: Int64 = 1 << 30

  init(
    _ input: FormatInput, of content: (any SeekableSource)?, in context: ExtractionContext,
    warnings: WarningLog
  ) {
    self.input = input
    self.content = content
    self.warnings = warnings
    cancellation = context.cancellation
    charge = Charge(context.ledger, entry: "sparse files")
  }

  var isExhausted: Bool { input.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    guard try input.skip(to: next) else {
      // A writer that does not end its archive may leave out what fills up the last block too: umoci insert.
      guard input.position >= contentEnd else { throw input.truncated(inside: "an entry") }
      warnings.addMissingEnd()
      return nil
    }
    // What global headers say, and a damaged header before it, is known only to who has read them.
    let start = isLost || !globals.isEmpty ? nil : next
    let header = try readHeader()
    // What content a link has depends on what came before it.
    place = header?.kind == .hardlink || !globals.isEmpty ? nil : start
    return header
  }

  func begin(at place: Int64) { (next, isEmpty) = (place, false) }

  var contentPart: Range<Int64>? { map == nil ? input.position..<contentEnd : nil }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let map else {
      try input.forEachBlock(to: contentEnd, inside: Self.content, body)
      return size
    }
    var check = PeriodicCheck(cancellation)
    for region in map.regions {
      try check.step()
      try input.forEachBlock(to: input.position + region.count, inside: Self.content) {
        (block, offset) throws(ArchiveError) in try body(block, region.offset + offset)
      }
    }
    return size
  }

  private static let content = "the entry's content"

  private func advance(to position: Int64) throws(ArchiveError) {
    try input.skip(to: position, inside: "an entry")
  }

  // MARK: Headers

  /// What extended headers say before the entry's own comes.
  private struct Preface {
    var records: PaxRecords
    var longName: [UInt8]?
    var longLink: [UInt8]?
    /// What is wrong with them, to be said of the entry.
    var refusal: ArchiveError?
    var isEmpty = true
    var count = 0
    /// The number of bytes that they take together.
    var size: Int64 = 0
  }

  private func readHeader() throws(ArchiveError) -> Header? {
    charge.giveBack(held)
    (held, map) = (0, nil)
    var preface = Preface(records: globals)
    while true {
      try cancellation.check()
      guard let header = try nextBlock() else {
        guard preface.isEmpty else { throw input.truncated("the archive ends after an extended header") }
        try checkEnd()
        return nil
      }
      (contentEnd, next) = try end(of: header)
      switch header.type {
      case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"),
        UInt8(ascii: "A"):
        preface.count += 1
        guard preface.count <= Self.mostPrefaces else {
          input.isExhausted = true
          throw .corrupt("more than \(Self.mostPrefaces) headers extend one entry's")
        }
        preface.isEmpty = header.type == UInt8(ascii: "g") && preface.isEmpty
        do throws(ArchiveError) { try extend(&preface, header) } catch {
          guard !isExhausted, [.corrupt, .unsupportedFeature].contains(error.code) else { throw error }
          preface.refusal = preface.refusal ?? error
        }
        try advance(to: next)
      // The label of a volume.
      case UInt8(ascii: "V"): try advance(to: next)
      default:
        isEmpty = false
        return try entry(header, preface)
      }
    }
  }

  /// The next header; nil at the end.
  private func nextBlock() throws(ArchiveError) -> TarHeader? {
    while true {
      try input.read(into: &block, count: TarHeader.size)
      if block.isEmpty {
        // GNU tar and POSIX archives end with two blocks of zeros; without them, entries may be missing.
        if !isEmpty { warnings.addMissingEnd() }
        return nil
      }
      guard block.count == TarHeader.size else { throw input.truncated(inside: "a header") }
      if unsafe block.span.bytes.isZero {
        let isAlone = try isLoneZero()
        if isAlone, isLost { continue }
        return nil
      }
      if TarHeader.hasChecksum(block) {
        isLost = false
        return TarHeader(block)
      }
      guard isLost else {
        isLost = true
        next = input.position
        throw .corrupt("the checksum of a header is wrong")
      }
    }
  }

  /// Whether a block of zeros is not followed by another. Whatever follows stays.
  private func isLoneZero() throws(ArchiveError) -> Bool {
    let second = try input.bytes(TarHeader.size)
    let isZero = unsafe second.span.bytes.isZero
    if !isZero { input.giveBack(second) }
    if isZero, second.count < TarHeader.size, !isEmpty { warnings.addMissingEnd() }
    return !isZero
  }

  /// Where the content of a header ends, and where the next header begins.
  private func end(of header: TarHeader, size known: Int64? = nil) throws(ArchiveError) -> (Int64, Int64) {
    let size = if let known { known } else { try storedSize(of: header) }
    let (end, overflow) = input.position.addingReportingOverflow(size)
    guard !overflow, end <= .max - Int64(TarHeader.size) else { throw impossibleSize(header) }
    return (end, (end + Int64(TarHeader.size) - 1) / Int64(TarHeader.size) * Int64(TarHeader.size))
  }

  private func storedSize(of header: TarHeader) throws(ArchiveError) -> Int64 {
    guard hasContent(header) else { return 0 }
    guard let size = header.stored else { throw impossibleSize(header) }
    return size
  }

  private func impossibleSize(_ header: TarHeader) -> ArchiveError {
    input.isExhausted = true
    return .corrupt("the size in its header cannot be", entry: EntryName.key(header.name))
  }

  /// Reads a header that extends the next one.
  private func extend(_ preface: inout Preface, _ header: TarHeader) throws(ArchiveError) {
    let size = contentEnd - input.position
    guard size <= Self.mostPossible else { throw impossibleSize(header) }
    preface.size += size
    guard preface.size <= Self.mostExtended else {
      throw ArchiveError(
        .unsupportedFeature,
        "its extended headers take \(preface.size) bytes; at most \(Self.mostExtended) are read",
        advice: "Leave the entry out, or unpack it by GNU tar.")
    }
    let bytes = try input.bytes(Int(size), inside: "an extended header")
    switch header.type {
    case UInt8(ascii: "L"): preface.longName = Array(bytes.prefix { $0 != 0 })
    case UInt8(ascii: "K"): preface.longLink = Array(bytes.prefix { $0 != 0 })
    case UInt8(ascii: "A"): AccessControlText.addSolaris(bytes, to: &preface.records.lists)
    case UInt8(ascii: "g"):
      isPax = true
      try globals.add(bytes, isGlobal: true, cancellation)
      if preface.isEmpty { preface.records = globals }
    default:
      isPax = true
      try preface.records.add(bytes, isGlobal: false, cancellation)
    }
  }

  // MARK: Entries

  private func entry(_ header: TarHeader, _ preface: Preface) throws(ArchiveError) -> Header {
    let records = preface.records
    let name = records.sparseName ?? preface.longName ?? records.path ?? header.name
    do throws(ArchiveError) {
      if let size = records.size {
        (contentEnd, next) = try end(of: header, size: hasContent(header) ? size : 0)
      }
      if header.type == UInt8(ascii: "1") { try decideContent(ofLink: header) }
      if let refusal = preface.refusal { throw refusal }
      globals.isContinued = false
      guard header.type != UInt8(ascii: "M"), !records.isContinued else { throw Self.laterVolume }
      size = contentEnd - input.position
      map = try sparseMap(header, records)
      if let map { size = map.size }
    } catch {
      throw error.naming(EntryName.key(name))
    }
    var result = Header(name: name, kind: Self.kind(header.type, name))
    result.link =
      switch result.kind {
      case .symlink, .hardlink: preface.longLink ?? records.link ?? header.link
      default: nil
      }
    result.size = result.kind == .file || result.kind == .hardlink ? size : 0
    result.modified = records.modified ?? ArchiveEntry.Time(seconds: header.modified)
    result.mode = header.mode
    result.linkCount = Int(max(1, min(records.linkCount ?? 1, Int64(UInt32.max))))
    var details = details(header, records)
    do throws(ArchiveError) {
      details.accessControlList = try AccessControlText.joined(records.lists, mode: header.mode)
    } catch {
      result.warning = "its access control list is left out: \(error.reason)"
    }
    result.details = details == ArchiveEntry.Details() ? nil : details
    return result
  }

  private static var laterVolume: ArchiveError {
    ArchiveError(
      .unsupportedFeature, "it is the rest of a file that begins in an earlier volume",
      advice: "Unpack the volumes together by GNU tar (tar --multi-volume).")
  }

  /// Symbolic links, devices, directories and pipes have none, whatever their size says; nor has what a slash alone makes a
  /// directory, before ustar.
  private func hasContent(_ header: TarHeader) -> Bool {
    if header.type == 0, header.name.last == UInt8(ascii: "/") { return false }
    return !(UInt8(ascii: "2")...UInt8(ascii: "6")).contains(header.type)
  }

  private static func kind(_ type: UInt8, _ name: [UInt8]) -> ArchiveEntry.Kind {
    switch type {
    case UInt8(ascii: "1"): .hardlink
    case UInt8(ascii: "2"): .symlink
    case UInt8(ascii: "3"): .character
    case UInt8(ascii: "4"): .block
    // D: a directory with the list of what was in it (GNU tar --incremental).
    case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
    case UInt8(ascii: "6"): .fifo
    // Unknown types are files (POSIX.1); before ustar, a slash at the end made a directory.
    default: name.last == UInt8(ascii: "/") ? .directory : .file
    }
  }

  /// A hard link may have content only in pax; elsewhere its size is that of the file that it leads to. What claims to be
  /// ustar may be either: then what follows tells.
  private func decideContent(ofLink header: TarHeader) throws(ArchiveError) {
    guard contentEnd > input.position, !isPax else { return }
    if header.dialect == .posix {
      let following = try input.bytes(TarHeader.size)
      let isHeader =
        unsafe following.count < TarHeader.size || following.span.bytes.isZero
        || TarHeader.hasChecksum(following)
      input.giveBack(following)
      guard isHeader else { return }
    }
    (contentEnd, next) = (input.position, input.position)
  }

  private func details(_ header: TarHeader, _ records: PaxRecords) -> ArchiveEntry.Details {
    var details = ArchiveEntry.Details()
    details.accessed = records.accessed ?? header.accessed.map { ArchiveEntry.Time(seconds: $0) }
    details.changed = records.changed ?? header.changed.map { ArchiveEntry.Time(seconds: $0) }
    details.created = records.created
    let (user, group) = (records.user ?? header.user, records.group ?? header.group)
    details.user = user.isEmpty ? nil : EntryName.key(user)
    details.group = group.isEmpty ? nil : EntryName.key(group)
    let (userID, groupID) = (records.userID ?? header.userID, records.groupID ?? header.groupID)
    // Without names, 0 is what writers put where there are no owners.
    if userID != 0 || groupID != 0 || details.user != nil || details.group != nil {
      (details.userID, details.groupID) = (userID, groupID)
    }
    details.attributes = records.attributes.reversed()
    return details
  }

  // MARK: Sparse files

  private func sparseMap(_ header: TarHeader, _ records: PaxRecords) throws(ArchiveError) -> SparseMap? {
    if header.type == UInt8(ascii: "S") { return try oldSparseMap(header) }
    guard records.sparseMap != nil || records.sparseVersion != (0, 0) else { return nil }
    guard let size = records.sparseSize else { throw .corrupt("the sparse file has no size") }
    switch records.sparseVersion {
    case (0, _):
      return try SparseMap(records.sparseMap ?? [], size: size, stored: contentEnd - input.position)
    case (1, 0): return try sparseMapInContent(size: size)
    case (let major, let minor):
      throw ArchiveError(
        .unsupportedFeature, "version \(major).\(minor) of GNU tar's sparse files is not read",
        advice: "Unpack it by GNU tar.")
    }
  }

  /// Four regions are in the header, others in blocks that follow it.
  private func oldSparseMap(_ header: TarHeader) throws(ArchiveError) -> SparseMap {
    guard header.dialect == .gnu else {
      throw ArchiveError(
        .unsupportedFeature, "star's sparse files are not read", advice: "Unpack it by star or GNU tar.")
    }
    guard let size = TarHeader.number(block[483..<495]), size >= 0 else { throw impossibleSize(header) }
    let stored = contentEnd - input.position
    var map = SparseMap(size: size)
    try map.add(table: block[386..<482])
    var isExtended = block[482] != 0
    while isExtended {
      try cancellation.check()
      try input.read(into: &block, count: TarHeader.size)
      guard block.count == TarHeader.size else { throw input.truncated(inside: "a map") }
      let (end, overflow) = contentEnd.addingReportingOverflow(Int64(TarHeader.size))
      guard !overflow, end <= .max - 2 * Int64(TarHeader.size) else { throw impossibleSize(header) }
      (contentEnd, next) = (end, next + Int64(TarHeader.size))
      try hold(21)
      try map.add(table: block[0..<504])
      isExtended = block[504] != 0
    }
    try map.check(stored: stored)
    return map
  }

  /// Version 1.0: the content begins with lines, each a number: how many regions, then their offsets and counts.
  private func sparseMapInContent(size: Int64) throws(ArchiveError) -> SparseMap {
    let start = input.position
    var map = SparseMap(size: size)
    var check = PeriodicCheck(cancellation)
    let count = try numberInContent()
    for index in 0..<count {
      try check.step()
      if index.isMultiple(of: 1024) { try hold(1024) }
      try map.add(try numberInContent(), try numberInContent())
    }
    let blocks = (input.position - start + Int64(TarHeader.size) - 1) / Int64(TarHeader.size)
    let end = start + blocks * Int64(TarHeader.size)
    guard end <= contentEnd else { throw .corrupt("the map of the sparse file is cut") }
    try advance(to: end)
    try map.check(stored: contentEnd - end)
    return map
  }

  private func numberInContent() throws(ArchiveError) -> Int64 {
    let line = try input.line(most: 21)
    guard !line.isEmpty || !input.isAtEnd else { throw input.truncated(inside: Self.content) }
    guard line.last == UInt8(ascii: "\n"), line.dropLast().allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int64(String(decoding: line.dropLast(), as: UTF8.self)), input.position <= contentEnd
    else {
      if input.isAtEnd { throw input.truncated(inside: Self.content) }
      throw .corrupt("the map of the sparse file holds something else than numbers")
    }
    return number
  }

  private func hold(_ regions: Int) throws(ArchiveError) {
    let bytes = Int64(regions * MemoryLayout<SparseMap.Region>.stride)
    try charge.hold(bytes, entry: nil)
    held += bytes
  }

  // MARK: The end

  private func checkEnd() throws(ArchiveError) {
    if let content, try ZipEnd.isAtEnd(of: content) {
      warnings.add("it ends like a zip archive: pin formats to .zip to read it as one")
    } else if try input.hasDataAfterEnd() {
      warnings.addDataAfterEnd()
    }
  }
}
