// An entry with all that its header says, as the worker sends it.

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

extension BinaryEncoder {
  mutating func put(_ entry: ArchiveEntry) {
    put(entry.name)
    put(entry.fields.value.convertedFrom) { $0.put($1) }
    put(entry.kind.number)
    put(optional: entry.size.map { max(0, $0) })
    put(entry.modified) { $0.put($1) }
    put(optional: entry.mode)
    put(optional: entry.link)
    put(Int64(entry.linkCount))
    put(entry.isEncrypted)
    put(entry.fields.value.details)
  }

  /// 0 for none, 1 for these, 2 for those of an earlier entry.
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
    let name = try text()
    let raw = try optional { reader throws(Malformed) in try reader.byteArray() }
    guard let kind = ArchiveEntry.Kind(number: try number()) else { throw Malformed() }
    return ArchiveEntry(
      .init(
        name: name, convertedFrom: raw, kind: kind,
        size: try optional { reader throws(Malformed) in try reader.size() },
        modified: try optional { reader throws(Malformed) in try reader.time() },
        mode: try optionalNumber(), link: try optionalText(), linkCount: Int(try size()),
        isEncrypted: try bool(),
        details: try sharedDetails()))
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
