// The encoding of an entry with all of its header's fields.

extension ArchiveEntry.Kind {
  private static let inOrder: [Self] = [
    .file, .directory, .symlink, .hardlink, .fifo, .socket, .character, .block,
  ]

  fileprivate init?(number: UInt8) {
    guard Int(number) < Self.inOrder.count else { return nil }
    self = Self.inOrder[Int(number)]
  }

  fileprivate var number: UInt8 { UInt8(clamping: Self.inOrder.firstIndex(of: self) ?? 0) }
}

/// The numbers of an entry's header, encoded in one piece because there may be a million of them. It has no padding.
private struct EntryNumbers: BitwiseCopyable {
  var size: Int64
  var seconds: Int64
  var linkCount: Int64
  var compressedSize: Int64
  var nanoseconds: UInt32
  var crc32: UInt32
  var mode: UInt16
  /// Flags for the optional fields that are present.
  var parts: UInt16
  var kind: UInt8
  /// 0 for none, or 1 more than its place among all.
  var compression: UInt8

  static let (converted, sized, dated, permitted, linked, encrypted, packed, summed) =
    (1, 2, 4, 8, 16, 32, 64, 128) as (UInt16, UInt16, UInt16, UInt16, UInt16, UInt16, UInt16, UInt16)
  private static let compressions = ArchiveEntry.Compression.allCases

  init(_ entry: ArchiveEntry) {
    // Field by field: a copy of them all would retain each.
    let modified = entry.modified
    size = max(0, entry.size ?? 0)
    seconds = modified?.seconds ?? 0
    linkCount = Int64(entry.linkCount)
    let packing = entry.fields.value.packing
    compressedSize = max(0, packing.compressedSize ?? 0)
    crc32 = packing.crc32 ?? 0
    compression = packing.compression.map { UInt8((Self.compressions.firstIndex(of: $0) ?? 0) + 1) } ?? 0
    nanoseconds = UInt32(clamping: modified?.nanoseconds ?? 0)
    mode = entry.mode ?? 0
    kind = entry.kind.number
    parts = entry.fields.value.convertedFrom == nil ? 0 : Self.converted
    if entry.size != nil { parts |= Self.sized }
    if modified != nil { parts |= Self.dated }
    if entry.mode != nil { parts |= Self.permitted }
    if entry.link != nil { parts |= Self.linked }
    if entry.isEncrypted { parts |= Self.encrypted }
    if packing.compressedSize != nil { parts |= Self.packed }
    if packing.crc32 != nil { parts |= Self.summed }
  }

  var packing: ArchiveEntry.Packing {
    ArchiveEntry.Packing(
      compressedSize: has(Self.packed) ? compressedSize : nil, crc32: has(Self.summed) ? crc32 : nil,
      compression: compression == 0 ? nil : Self.compressions[Int(compression) - 1])
  }

  func has(_ part: UInt16) -> Bool { parts & part != 0 }

  /// Whether an entry can have these numbers.
  var isValid: Bool {
    size >= 0 && linkCount >= 0 && compressedSize >= 0 && parts < 256
      && Int(compression) <= Self.compressions.count
      && (has(Self.packed) || compressedSize == 0) && (has(Self.summed) || crc32 == 0)
      && (has(Self.sized) || size == 0) && (has(Self.dated) || (seconds == 0 && nanoseconds == 0))
      && (has(Self.permitted) || mode == 0)
  }
}

extension BinaryEncoder {
  mutating func put(_ entry: ArchiveEntry) {
    put(piece: EntryNumbers(entry))
    put(entry.name)
    if let raw = entry.fields.value.convertedFrom { put(raw) }
    if let link = entry.link { put(link) }
    put(entry.fields.value.details)
  }

  /// 0 for none, 1 for new details, 2 for those of the previous entry that had some.
  private mutating func put(_ shared: ArchiveEntry.Shared<ArchiveEntry.Details>?) {
    guard let shared else { return put(UInt8(0)) }
    if shared === details { return put(UInt8(2)) }
    put(UInt8(1))
    put(shared.value)
    details = shared
  }

  private mutating func put(_ time: ArchiveEntry.Time) {
    put(time.seconds)
    put(UInt32(clamping: time.nanoseconds))
  }

  private mutating func put(_ details: ArchiveEntry.Details) {
    for time in [details.accessed, details.changed, details.created] { put(time) { $0.put($1) } }
    for number in [details.userID, details.groupID] { put(optional: number) }
    for text in [details.user, details.group, details.accessControlList, details.comment] {
      put(optional: text)
    }
    put(all: details.attributes) { writer, attribute in
      writer.put(attribute.name)
      writer.put(attribute.value)
    }
  }
}

extension BinaryDecoder {
  mutating func entry() throws(Malformed) -> ArchiveEntry {
    let numbers = try piece(EntryNumbers.self)
    guard numbers.isValid, let kind = ArchiveEntry.Kind(number: numbers.kind) else { throw Malformed() }
    var fields = ArchiveEntry.Fields(name: try text(), kind: kind)
    if numbers.has(EntryNumbers.converted) { fields.convertedFrom = try byteArray() }
    if numbers.has(EntryNumbers.sized) { fields.size = numbers.size }
    if numbers.has(EntryNumbers.dated) {
      fields.modified = ArchiveEntry.Time(seconds: numbers.seconds, nanoseconds: Int(numbers.nanoseconds))
    }
    if numbers.has(EntryNumbers.permitted) { fields.mode = numbers.mode }
    if numbers.has(EntryNumbers.linked) { fields.link = try text() }
    fields.linkCount = Int(numbers.linkCount)
    fields.isEncrypted = numbers.has(EntryNumbers.encrypted)
    fields.packing = numbers.packing
    fields.details = try sharedDetails()
    return ArchiveEntry(fields)
  }

  private mutating func sharedDetails() throws(Malformed) -> ArchiveEntry.Shared<ArchiveEntry.Details>? {
    switch try number(UInt8.self) {
    case 0: return nil
    case 1:
      let shared = ArchiveEntry.Shared(try ownDetails())
      details = shared
      return shared
    case 2:
      guard let details else { throw Malformed() }
      return details
    default: throw Malformed()
    }
  }

  private mutating func time() throws(Malformed) -> ArchiveEntry.Time {
    ArchiveEntry.Time(seconds: try number(), nanoseconds: Int(try number(UInt32.self)))
  }

  private mutating func optionalTime() throws(Malformed) -> ArchiveEntry.Time? {
    try optional { reader throws(Malformed) in try reader.time() }
  }

  private mutating func ownDetails() throws(Malformed) -> ArchiveEntry.Details {
    var details = ArchiveEntry.Details()
    details.accessed = try optionalTime()
    details.changed = try optionalTime()
    details.created = try optionalTime()
    details.userID = try optionalNumber()
    details.groupID = try optionalNumber()
    details.user = try optionalText()
    details.group = try optionalText()
    details.accessControlList = try optionalText()
    details.comment = try optionalText()
    details.attributes = try all { reader throws(Malformed) in
      ArchiveEntry.ExtendedAttribute(name: try reader.text(), value: try reader.byteArray())
    }
    return details
  }
}
