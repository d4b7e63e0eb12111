/// The zip64 end of central directory record (APPNOTE 4.3.14), by its locator (4.3.15).
struct ZipWideEnd {
  /// The count, the directory's size and its offset.
  let values: [UInt64]
  /// Where it begins, and the directory ends.
  let position: Int64

  private static let locatorLength = 20
  private static let length = 56

  /// Nil if no locator precedes `position`.
  init?(_ content: any SeekableSource, before position: Int64) throws(ZipDirectory.Refusal) {
    let start = position - Int64(Self.locatorLength)
    guard start >= 0 else { return nil }
    let locator = try Self.bytes(content, Self.locatorLength, at: start)
    guard locator.count == Self.locatorLength, locator.little(UInt32.self, at: 0) == 0x0706_4B50 else {
      return nil
    }
    // In front of the locator, or if it has been extended, where the locator says.
    let stated = locator.little(UInt64.self, at: 8)
    let places = [start - Int64(Self.length), stated < UInt64(start) ? Int64(stated) : -1]
    for place in places where place >= 0 {
      let record = try Self.bytes(content, Self.length + 12, at: place)
      guard record.count >= Self.length, record.little(UInt32.self, at: 0) == 0x0606_4B50,
        record.little(UInt64.self, at: 4) == UInt64(start - place - 12)
      else { continue }
      // Version 2 (7.3.4): the algorithm follows the compression's method and two sizes.
      if start - place >= Self.length + 28, record.little(UInt16.self, at: 12) >= 62 {
        throw .source(
          ArchiveError(
            .unsupportedFeature, "the zip's central directory is encrypted or compressed",
            advice: "Unpack it with its own program, and pack it again without."))
      }
      guard record.little(UInt64.self, at: 16) == 0, locator.little(UInt32.self, at: 4) == 0 else {
        throw .source(.splitZip("the zip is one part of several"))
      }
      values = [32, 40, 48].map { record.little(UInt64.self, at: $0) }
      self.position = place
      return
    }
    throw .contradiction("has no zip64 end record in front of its locator")
  }

  private static func bytes(
    _ content: any SeekableSource, _ count: Int, at offset: Int64
  ) throws(ZipDirectory.Refusal) -> [UInt8] {
    try ZipDirectory.reading { () throws(ArchiveError) in try content.bytes(count, at: offset) }
  }
}
