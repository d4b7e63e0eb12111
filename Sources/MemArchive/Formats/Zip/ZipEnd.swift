/// The end of a zip: the end of central directory record (APPNOTE 4.3.16), and zip64's (4.3.14, 4.3.15) if there is one.
struct ZipEnd {
  /// The number of entries.
  let count: UInt64
  /// Where the central directory is in the file.
  let directory: Range<Int64>
  /// The number of bytes in front of the archive: a self-extracting program, say.
  let prefix: Int64
  let comment: [UInt8]

  private static let length = 22
  private static let locatorLength = 20
  private static let wideLength = 56

  /// Reads the end; nil if the file does not end like a zip.
  init?(_ content: any SeekableSource) throws(ZipDirectory.Refusal) {
    let tail = try ZipDirectory.reading { () throws(ArchiveError) in try content.tail(Self.length + 65_535) }
    guard let tail, let start = Self.lastRecord(in: tail) else { return nil }
    let last = start + Self.length + Int(tail.little(UInt16.self, at: start + 20))
    // Trailing zeros are ignored: bsdtar pads its output to a pipe to whole blocks, as for tapes.
    guard last <= tail.count, tail[last...].allSatisfy({ $0 == 0 }) else {
      throw .contradiction("does not end where its last record says")
    }
    comment = Array(tail[(start + Self.length)..<last])
    let position = content.size - Int64(tail.count - start)
    let narrow = [
      UInt64(tail.little(UInt16.self, at: start + 10)), UInt64(tail.little(UInt32.self, at: start + 12)),
      UInt64(tail.little(UInt32.self, at: start + 16)),
    ]
    var (end, values) = (position, narrow)
    if let wide = try Self.wideRecord(content, before: position) {
      // Numbers that fit are in both records.
      let ones = [UInt64(UInt16.max), UInt64(UInt32.max), UInt64(UInt32.max)]
      for index in values.indices where narrow[index] != ones[index] && narrow[index] != wide[index] {
        throw .contradiction("has two end records that differ")
      }
      (end, values) = (position - Int64(Self.locatorLength + Self.wideLength), wide)
    }
    let disks = tail.little(UInt32.self, at: start + 4)
    guard disks == 0 || (disks == .max && end != position),
      tail.little(UInt16.self, at: start + 8) == tail.little(UInt16.self, at: start + 10)
    else {
      throw .contradiction("is a part of several")
    }
    count = values[0]
    // The directory ends where its end record begins; its stated offset is off by the length of the prefix.
    guard values[1] <= UInt64(end) else { throw .contradiction("has a directory larger than itself") }
    directory = (end - Int64(values[1]))..<end
    guard values[2] <= UInt64(directory.lowerBound) else {
      throw .contradiction("has its directory elsewhere than its end says")
    }
    prefix = directory.lowerBound - Int64(values[2])
  }

  /// The number of entries in the last end record (modulo 65,536), whatever else is wrong; nil if there is no record.
  static func count(in content: any ByteSource) throws(ArchiveError) -> Int? {
    guard let tail = try content.seekable?.tail(length + 65_535) else { return nil }
    return lastRecord(in: tail).map { Int(tail.little(UInt16.self, at: $0 + 10)) }
  }

  /// Whether the last bytes are an end record without a comment: another format in front may hide a whole zip.
  static func isAtEnd(of content: any ByteSource) throws(ArchiveError) -> Bool {
    guard let record = try content.seekable?.tail(length), lastRecord(in: record) == 0
    else { return false }
    return record.little(UInt16.self, at: 20) == 0
  }

  private static func lastRecord(in tail: [UInt8]) -> Int? {
    guard tail.count >= length else { return nil }
    return stride(from: tail.count - length, through: 0, by: -1).first {
      tail[$0] == 0x50 && tail.little(UInt32.self, at: $0) == 0x0605_4B50
    }
  }

  /// The count, the directory's size and its offset in zip64's record, if its locator precedes `position`.
  private static func wideRecord(
    _ content: any SeekableSource, before position: Int64
  ) throws(ZipDirectory.Refusal) -> [UInt64]? {
    let start = position - Int64(locatorLength)
    guard start >= 0 else { return nil }
    let locator = try ZipDirectory.reading { () throws(ArchiveError) in
      try content.bytes(locatorLength, at: start)
    }
    guard locator.count == locatorLength, locator.little(UInt32.self, at: 0) == 0x0706_4B50 else {
      return nil
    }
    let recordStart = start - Int64(wideLength)
    guard recordStart >= 0 else { throw .contradiction("has no zip64 end record") }
    let record = try ZipDirectory.reading { () throws(ArchiveError) in
      try content.bytes(wideLength, at: recordStart)
    }
    guard record.count == wideLength, record.little(UInt32.self, at: 0) == 0x0606_4B50,
      record.little(UInt64.self, at: 4) == UInt64(wideLength - 12)
    else { throw .contradiction("has no zip64 end record in front of its locator") }
    guard record.little(UInt64.self, at: 16) == 0, locator.little(UInt32.self, at: 4) == 0,
      record.little(UInt64.self, at: 24) == record.little(UInt64.self, at: 32)
    else { throw .contradiction("is a part of several") }
    return [32, 40, 48].map { record.little(UInt64.self, at: $0) }
  }
}
