/// The extra fields of one header, APPNOTE 4.5, with those that writers have added over the years.
struct ZipExtraFields {
  var modified: ArchiveEntry.Time?
  var accessed: ArchiveEntry.Time?
  var created: ArchiveEntry.Time?
  var userID: Int64?
  var groupID: Int64?
  /// The name that replaces the header's (Info-ZIP's Unicode Path).
  var name: [UInt8]?
  /// The compression below AES encryption (WinZip's AE-1 and AE-2); nil without its field.
  private(set) var encryptedMethod: UInt16?
  /// Whether a field is longer than the rest; it and what follows are ignored, as unzip and 7z do.
  private(set) var isCut = false
  /// What is wrong with a field that the entry cannot be read without.
  private(set) var defect: ZipDefect?
  /// Whether there is a zip64 field: then the sizes behind the content have 8 bytes (4.3.9.2).
  private(set) var isWide = false
  /// The numbers of the zip64 field, in the order of 4.5.3.
  private var wide: [UInt64] = []
  private var timeRank = 0
  /// The header's DOS date is 2038 or later, when a signed time of 32 bits is used up.
  private let isLate: Bool

  private static let unicodePath: UInt16 = 0x7075

  /// - Parameters:
  ///   - rawName: the header's name, which Unicode Path must belong to.
  ///   - date: the header's DOS date and time.
  init(_ bytes: [UInt8], _ range: Range<Int>, rawName: ArraySlice<UInt8>, date: UInt32) {
    isLate = date >> 25 >= 2038 - 1980
    var rest = range
    // Up to three bytes after the last field are no field: alignment tools pad with them.
    while rest.count >= 4 {
      let id = bytes.little(UInt16.self, at: rest.lowerBound)
      let size = Int(bytes.little(UInt16.self, at: rest.lowerBound + 2))
      let field = (rest.lowerBound + 4)..<(rest.lowerBound + 4 + size)
      guard field.upperBound <= rest.upperBound else {
        isCut = true
        if id == Self.unicodePath { defect = .unicodePath }
        return
      }
      read(id, bytes, field, rawName)
      rest = field.upperBound..<rest.upperBound
    }
  }

  /// A header's 32-bit number, or the zip64 number that replaces it if it is all ones (4.5.3).
  ///
  /// - Parameter isKnown: Whether the number has to be in the header, rather than after the content.
  mutating func wide(_ value: UInt32, isKnown: Bool = true) -> UInt64 {
    guard value == .max else { return UInt64(value) }
    if !wide.isEmpty, case let number = wide.removeFirst(), number <= UInt64(Int64.max) { return number }
    if isKnown { defect = defect ?? .zip64Missing }
    return UInt64(value)
  }

  private mutating func read(
    _ id: UInt16, _ bytes: [UInt8], _ field: Range<Int>, _ rawName: ArraySlice<UInt8>
  ) {
    let start = field.lowerBound
    switch id {
    case 0x0001:
      let numbers = stride(from: start, through: field.upperBound - 8, by: 8).prefix(3)
        .map { bytes.little(UInt64.self, at: $0) }
      if !wide.isEmpty, numbers != wide { defect = .zip64Differs }
      (wide, isWide) = (numbers, true)
    case 0x000A: readNTFS(bytes, field)
    case 0x5455 where !field.isEmpty: readTimestamps(bytes, field)
    case 0x5855 where field.count >= 8: readUnix(bytes, field)
    case 0x7855 where field.count >= 4:
      setOwner(
        UInt64(bytes.little(UInt16.self, at: start)), UInt64(bytes.little(UInt16.self, at: start + 2)))
    case 0x7875: readOwner(bytes, field)
    case 0x9901 where field.count >= 7: encryptedMethod = bytes.little(UInt16.self, at: start + 5)
    case Self.unicodePath where field.count <= 5: if name == nil { defect = defect ?? .unicodePath }
    case Self.unicodePath where bytes[start] == 1:
      // The field is out of date if a program that does not know it has changed the name.
      var checksum = CRC32()
      unsafe checksum.update(Array(rawName).span.bytes)
      guard bytes.little(UInt32.self, at: start + 1) == checksum.value else { return }
      name = Array(bytes[(start + 5)..<field.upperBound])
      if defect == .unicodePath { defect = nil }
    default: break
    }
  }

  /// PKWARE's NTFS field (4.5.5).
  private mutating func readNTFS(_ bytes: [UInt8], _ field: Range<Int>) {
    guard field.count >= 32, bytes.little(UInt16.self, at: field.lowerBound + 4) == 1,
      bytes.little(UInt16.self, at: field.lowerBound + 6) == 24
    else { return }
    let times = [8, 16, 24].map {
      ArchiveEntry.Time(ntfs: bytes.little(UInt64.self, at: field.lowerBound + $0))
    }
    setTimes(rank: 3, modified: times[0], accessed: times[1], created: times[2])
  }

  /// Info-ZIP's extended timestamp: flags say which times follow, and a central directory has only the first.
  private mutating func readTimestamps(_ bytes: [UInt8], _ field: Range<Int>) {
    var offset = field.lowerBound + 1
    func takeTime(_ bit: UInt8) -> ArchiveEntry.Time? {
      guard bytes[field.lowerBound] & 1 << bit != 0, offset + 4 <= field.upperBound else { return nil }
      defer { offset += 4 }
      return time(bytes.little(UInt32.self, at: offset))
    }
    let (modified, accessed) = (takeTime(0), takeTime(1))
    setTimes(rank: 2, modified: modified, accessed: accessed, created: takeTime(2))
  }

  /// Unix times are signed, for what is older than 1970, and unsigned from 2038 on: the DOS date says which.
  private func time(_ seconds: UInt32) -> ArchiveEntry.Time {
    ArchiveEntry.Time(seconds: isLate ? Int64(seconds) : Int64(Int32(bitPattern: seconds)))
  }

  /// Info-ZIP's first Unix field: access and modification time, owner and group.
  private mutating func readUnix(_ bytes: [UInt8], _ field: Range<Int>) {
    let times = [0, 4].map { time(bytes.little(UInt32.self, at: field.lowerBound + $0)) }
    setTimes(rank: 1, modified: times[1], accessed: times[0], created: nil)
    guard field.count >= 12 else { return }
    setOwner(
      UInt64(bytes.little(UInt16.self, at: field.lowerBound + 8)),
      UInt64(bytes.little(UInt16.self, at: field.lowerBound + 10)))
  }

  /// Info-ZIP's Unix owners: version 1, then two numbers, each with its length.
  private mutating func readOwner(_ bytes: [UInt8], _ field: Range<Int>) {
    var offset = field.lowerBound + 1
    func takeNumber() -> UInt64? {
      guard offset < field.upperBound, case let count = Int(bytes[offset]), (1...8).contains(count),
        offset + count < field.upperBound
      else { return nil }
      defer { offset += 1 + count }
      return stride(from: count, to: 0, by: -1).reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }
    guard !field.isEmpty, bytes[field.lowerBound] == 1, let user = takeNumber(), let group = takeNumber()
    else {
      return
    }
    setOwner(user, group)
  }

  private mutating func setOwner(_ user: UInt64, _ group: UInt64) {
    userID = Int64(clamping: user)
    groupID = Int64(clamping: group)
  }

  /// The more precise and the more recently defined field wins, whatever their order.
  private mutating func setTimes(
    rank: Int, modified: ArchiveEntry.Time?, accessed: ArchiveEntry.Time?, created: ArchiveEntry.Time?
  ) {
    guard rank >= timeRank else { return }
    timeRank = rank
    self.modified = modified ?? self.modified
    self.accessed = accessed ?? self.accessed
    self.created = created ?? self.created
  }
}
