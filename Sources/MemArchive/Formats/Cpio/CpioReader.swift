/// The entries of a cpio archive.
///
/// libarchive (up to 3.8.9) ignores the checksums of "070702", and an entry that does not end where its header says.
final class CpioReader: EntryParser {
  private let input: FormatInput
  private let warnings: WarningLog
  private let cancellation: Cancellation
  /// The first name of each file with several.
  private var names: [CpioHeader.File: (name: [UInt8], rest: UInt64)] = [:]
  private var charge: Charge
  private var (size, contentEnd, next): (Int64, Int64, Int64) = (0, 0, 0)
  private var sum: UInt32?
  /// Whether no header is where one must be.
  private var isLost = false
  private(set) var place: Int64?

  private static let (mostName, mostLink): (UInt64, UInt64) = (1 << 20, 1 << 20)

  init(_ input: FormatInput, in context: ExtractionContext, warnings: WarningLog) {
    self.input = input
    self.warnings = warnings
    cancellation = context.cancellation
    charge = Charge(context.ledger, entry: "cpio")
  }

  var isExhausted: Bool { input.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    try input.skip(to: next, inside: "an entry")
    let start = isLost ? nil : next
    let (header, name) = try readHeader()
    // Which of several names is the first depends on what came before it.
    place = header.linkCount > 1 ? nil : start
    guard !name.elementsEqual("TRAILER!!!".utf8) else {
      if try input.hasDataAfterEnd() { warnings.addDataAfterEnd() }
      return nil
    }
    return try entry(header, name)
  }

  func begin(at place: Int64) { next = place }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let wanted = sum else {
      try input.forEachBlock(to: contentEnd, inside: "the entry's content", body)
      return size
    }
    var sum: UInt32 = 0
    try input.forEachBlock(to: contentEnd, inside: "the entry's content") {
      (block, offset) throws(ArchiveError) in
      sum = unsafe block.withUnsafeBytes { unsafe $0.reduce(sum) { $0 &+ UInt32($1) } }
      try body(block, offset)
    }
    guard sum == wanted else { throw .corrupt("the content's sum is not the one that its header says") }
    return size
  }

  // MARK: Headers

  private func readHeader() throws(ArchiveError) -> (CpioHeader, name: [UInt8]) {
    var magic = try input.bytes(CpioHeader.magicSize)
    // After a missing header has been reported, the next one with digits is looked for.
    while isLost, magic.count == CpioHeader.magicSize, magic[0] != 0x30 || CpioHeader.size(of: magic) == nil {
      magic = Array(magic.dropFirst()) + (try input.bytes(1))
    }
    guard magic.count == CpioHeader.magicSize else {
      throw input.truncated("the archive ends without its trailer")
    }
    guard let size = CpioHeader.size(of: magic) else {
      isLost = true
      next = input.position
      if magic.elementsEqual("07070X".utf8) { throw .strippedCpio }
      throw .corrupt("an entry of the cpio does not end where its header says")
    }
    let bytes = magic + (try input.bytes(size - magic.count, inside: "a header"))
    guard let header = CpioHeader(bytes), header.nameSize > 0, header.nameSize <= Self.mostName else {
      isLost = true
      next = input.position
      throw .corrupt("a header holds something else than numbers, or no name")
    }
    isLost = false
    let field = try input.bytes(Int(header.nameSize), inside: "a name")
    let padding = Self.padding(UInt64(size) + header.nameSize, header.alignment)
    try input.skip(to: input.position + padding, inside: "a name")
    // No header states 2^36 bytes.
    contentEnd = input.position + Int64(header.size)
    next = contentEnd + Self.padding(header.size, header.alignment)
    // Some writers fill the name up with NUL, so that the content begins where they want it.
    let name = field.prefix((field.lastIndex { $0 != 0 } ?? -1) + 1)
    guard field.last == 0 else {
      throw .corrupt("the name does not end where its header says", entry: EntryName.key(name))
    }
    return (header, Array(name))
  }

  private static func padding(_ count: UInt64, _ alignment: UInt64) -> Int64 {
    Int64((alignment - count % alignment) % alignment)
  }

  private func entry(_ header: CpioHeader, _ name: [UInt8]) throws(ArchiveError) -> Header {
    var entry = Header(name: name, kind: header.kind)
    (size, sum) = (Int64(header.size), header.sum)
    entry.modified = ArchiveEntry.Time(seconds: Int64(header.modified))
    entry.mode = UInt16(header.mode & 0o7777)
    entry.linkCount = Int(max(1, header.linkCount))
    if header.userID != 0 || header.groupID != 0 {
      var details = ArchiveEntry.Details()
      (details.userID, details.groupID) = (Int64(header.userID), Int64(header.groupID))
      entry.details = details
    }
    entry.size = 0
    switch entry.kind {
    case .symlink: entry.link = try target(header, name)
    case .directory: break
    default:
      if let first = try firstName(header, name) { (entry.kind, entry.link) = (.hardlink, first) }
      if entry.kind == .file || entry.kind == .hardlink { entry.size = size }
    }
    return entry
  }

  /// A symbolic link's target is its content.
  private func target(_ header: CpioHeader, _ name: [UInt8]) throws(ArchiveError) -> [UInt8] {
    guard header.size <= Self.mostLink else {
      throw .corrupt("the target of the link takes \(header.size) bytes", entry: EntryName.key(name))
    }
    let target = try input.bytes(Int(header.size), inside: "a link's target")
    guard !target.dropLast().contains(0) else {
      throw .corrupt("the target of the link contains a NUL byte", entry: EntryName.key(name))
    }
    return target.last == 0 ? Array(target.dropLast()) : target
  }

  /// The earlier name of the same file, if it had one.
  private func firstName(_ header: CpioHeader, _ name: [UInt8]) throws(ArchiveError) -> [UInt8]? {
    guard header.linkCount > 1 else { return nil }
    if let (first, rest) = names[header.file] {
      // Once all names have come, the number may be another file's.
      names[header.file] = rest > 1 ? (first, rest - 1) : nil
      return first
    }
    try charge.hold(Int64(name.count) + 64, entry: nil)
    names[header.file] = (name, header.linkCount - 1)
    return nil
  }
}
