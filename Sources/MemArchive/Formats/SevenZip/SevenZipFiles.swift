#if FastDecoders
/// The entries that a 7z header names (7zFormat.txt, "FilesInfo").
struct SevenZipFiles {
  struct File {
    /// The name's bytes in the header, in UTF-16; nil if there is none.
    var name: Range<Int>?
    var hasStream = true
    var isEmptyFile = false
    /// Whether it says that a file is to be deleted.
    var isAnti = false
    var attributes: UInt32 = 0
    var modified: UInt64?
    var accessed: UInt64?
    var created: UInt64?
  }

  private(set) var files: [File] = []
  private let bytes: [UInt8]

  init() { bytes = [] }

  init(
    _ header: inout SevenZipBytes, _ ledger: Ledger, _ account: EntryAccount, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    bytes = header.bytes
    let count = try header.count()
    try ledger.check(stated: UInt64(count))
    try account.hold(Int64(count * MemoryLayout<File>.stride), entry: nil)
    files = [File](repeating: File(), count: count)
    var check = PeriodicCheck(cancellation)
    var seen: Set<UInt64> = []
    while true {
      let type = try header.number()
      if type == SevenZipProperty.end.rawValue { break }
      guard seen.insert(type).inserted || type == SevenZipProperty.dummy.rawValue else {
        throw .sevenZipHeader("has a part twice")
      }
      var part = try header.part(try header.count())
      switch SevenZipProperty(rawValue: UInt8(clamping: type)) {
      case .emptyStream: try set(part.bits(count)) { $0.hasStream = !$1 }
      case .emptyFile:
        try set(part.bits(files.count { !$0.hasStream }), ofEmpty: true) { $0.isEmptyFile = $1 }
      case .anti: try set(part.bits(files.count { !$0.hasStream }), ofEmpty: true) { $0.isAnti = $1 }
      case .name: try readNames(&part, &check)
      case .created: try readTimes(&part) { $0.created = $1 }
      case .accessed: try readTimes(&part) { $0.accessed = $1 }
      case .modified: try readTimes(&part) { $0.modified = $1 }
      case .attributes:
        let isDefined = try part.optionalBits(count)
        try part.refuseExternal()
        for index in files.indices where isDefined[index] {
          files[index].attributes = try part.little(UInt32.self)
        }
      case .startPosition: try readTimes(&part) { _, _ in }
      case .dummy:
        guard header.bytes[try part.take(part.left)].allSatisfy({ $0 == 0 }) else {
          throw .sevenZipHeader("has something in its padding")
        }
      default: continue
      }
      guard part.left == 0 else { throw .sevenZipHeader("has more in a part than belongs there") }
    }
  }

  private mutating func set(
    _ bits: [Bool], ofEmpty isOfEmpty: Bool = false, _ change: (inout File, Bool) -> Void
  ) {
    var bits = bits.makeIterator()
    for index in files.indices where !isOfEmpty || !files[index].hasStream {
      if let bit = bits.next() { change(&files[index], bit) }
    }
  }

  private mutating func readNames(
    _ part: inout SevenZipBytes, _ check: inout PeriodicCheck
  ) throws(ArchiveError) {
    try part.refuseExternal()
    for index in files.indices {
      try check.step()
      let start = part.position
      while try part.little(UInt16.self) != 0 {}
      files[index].name = start..<part.position - 2
    }
  }

  private mutating func readTimes(
    _ part: inout SevenZipBytes, _ change: (inout File, UInt64) -> Void
  ) throws(ArchiveError) {
    let isDefined = try part.optionalBits(files.count)
    try part.refuseExternal()
    for index in files.indices where isDefined[index] { change(&files[index], try part.little(UInt64.self)) }
  }

  /// An entry's name in UTF-8; nil if it has none. A surrogate without its other half becomes the three bytes that UTF-8 has for
  /// its number, as with 7-Zip on Linux: names that differ stay different, and nothing of them is lost.
  func name(of file: File) -> [UInt8]? {
    guard let range = file.name, !range.isEmpty else { return nil }
    var name: [UInt8] = []
    name.reserveCapacity(range.count)
    var high: UInt32?
    func append(_ value: UInt32) {
      switch value {
      case ..<0x80: name.append(UInt8(value))
      case ..<0x800: name += [0xC0 | UInt8(value >> 6), 0x80 | UInt8(value & 0x3F)]
      case ..<0x1_0000:
        name += [0xE0 | UInt8(value >> 12), 0x80 | UInt8(value >> 6 & 0x3F), 0x80 | UInt8(value & 0x3F)]
      default:
        name += [
          0xF0 | UInt8(value >> 18), 0x80 | UInt8(value >> 12 & 0x3F), 0x80 | UInt8(value >> 6 & 0x3F),
          0x80 | UInt8(value & 0x3F),
        ]
      }
    }
    for offset in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
      let unit = UInt32(bytes.little(UInt16.self, at: offset))
      if let first = high {
        high = nil
        if unit & 0xFC00 == 0xDC00 {
          append(0x1_0000 + (first & 0x3FF) << 10 + unit & 0x3FF)
          continue
        }
        append(first)
      }
      if unit & 0xFC00 == 0xD800 { high = unit } else { append(unit) }
    }
    if let high { append(high) }
    return name
  }
}
#endif
