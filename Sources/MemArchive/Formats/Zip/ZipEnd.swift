/// The end of a zip: the end of central directory record (APPNOTE 4.3.16), and zip64's (4.3.14, 4.3.15) if there is one.
struct ZipEnd {
  /// The number of entries.
  let count: UInt64
  /// Where the central directory is in the file.
  let directory: Range<Int64>
  /// The number of bytes in front of the archive: a self-extracting program, say.
  let prefix: Int64
  /// The number of this part, the last one of a split zip; 0 in all others.
  let disk: UInt16
  let comment: [UInt8]
  /// What is odd about it, as the end of a sentence.
  private(set) var oddity: String?
  /// Whether a directory begins where it says.
  private let leadsToDirectory: Bool
  /// Whether more than zeros follow.
  private var isFollowed: Bool

  private static let length = 22
  private static let longestComment = 65_535
  private static let signature: [UInt8] = [0x50, 0x4B, 5, 6]
  private static let followed = "does not end where its last record says"
  /// The bytes of one step backwards in search of a record that a lot follows, and the number of records that are looked at.
  private static let step = 1 << 20
  private static let mostCandidates = 4096

  /// Reads the end; nil if the file does not end like a zip.
  ///
  /// The last record counts, as long as it leads to a directory. One that counts nothing gives way to an earlier one: it may be
  /// a comment, or what another program has appended.
  ///
  /// - Parameter beginsAsZip: Whether the first bytes are a zip's. Then the whole file is searched, for a record that anything
  ///   may follow; bytes that may not be a zip are not.
  init?(
    _ content: any SeekableSource, beginsAsZip: Bool, cancellation: Cancellation
  ) throws(ZipDirectory.Refusal) {
    let tail = try ZipDirectory.reading { () throws(ArchiveError) in
      try content.tail(Self.length + Self.longestComment)
    }
    guard let tail else { return nil }
    let start = content.size - Int64(tail.count)
    var empty: (end: ZipEnd, offset: Int)?
    var astray: ZipEnd?
    var refusal: ZipDirectory.Refusal?
    for offset in Self.records(in: tail) {
      do throws(ZipDirectory.Refusal) {
        var end = try ZipEnd(content, at: start + Int64(offset), Array(tail[offset...]))
        if end.isEmpty {
          empty = empty ?? (end, offset)
          continue
        }
        guard end.leadsToDirectory else {
          astray = astray ?? end
          continue
        }
        if let empty {
          end.oddity = "ends with a further record that counts no entries"
          end.isFollowed = end.isFollowed && offset + Self.length + end.comment.count != empty.offset
        }
        if !end.isFollowed || (beginsAsZip && end.prefix == 0) {
          if beginsAsZip, end.prefix > 0 { end.oddity = "comes after \(end.prefix) bytes, which are ignored" }
          self = end
          return
        }
        // The end of a zip that is stored in this one.
        refusal =
          beginsAsZip
          ? .source(.truncated("the zip has no end record of its own")) : .contradiction(Self.followed)
      } catch {
        if case .source = error { throw error }
        refusal = refusal ?? error
      }
    }
    if let empty {
      if beginsAsZip, try Self.beginsWithEntry(content) {
        throw .source(.corrupt("the zip begins with an entry, and its end counts none"))
      }
      self = empty.end
      return
    }
    if beginsAsZip, let end = try Self.search(content, before: start + Int64(Self.length), cancellation) {
      self = end
      return
    }
    if let astray, !beginsAsZip || refusal == nil {
      self = astray
      return
    }
    if let refusal { throw refusal }
    return nil
  }

  /// Whether neither a count nor a size says that there are entries.
  private var isEmpty: Bool { count == 0 && directory.isEmpty }

  /// The record at `position`; throws if it leads to no directory.
  private init(
    _ content: any SeekableSource, at position: Int64, _ bytes: [UInt8]
  ) throws(ZipDirectory.Refusal) {
    let last = Self.length + Int(bytes.little(UInt16.self, at: 20))
    guard last <= bytes.count else { throw .contradiction(Self.followed) }
    comment = Array(bytes[Self.length..<last])
    // Zeros are ignored: bsdtar pads its output to a pipe to whole blocks, as for tapes.
    isFollowed = !bytes[last...].allSatisfy { $0 == 0 }
    if isFollowed { oddity = Self.followed }
    let narrow = [
      UInt64(bytes.little(UInt16.self, at: 10)), UInt64(bytes.little(UInt32.self, at: 12)),
      UInt64(bytes.little(UInt32.self, at: 16)),
    ]
    let ones = [UInt64(UInt16.max), UInt64(UInt32.max), UInt64(UInt32.max)]
    var (end, values) = (position, narrow)
    do throws(ZipDirectory.Refusal) {
      if let wide = try ZipWideEnd(content, before: position) {
        // Numbers that fit are in both records.
        let differs = narrow.indices.contains { narrow[$0] != ones[$0] && narrow[$0] != wide.values[$0] }
        if differs { oddity = "has two end records that differ" }
        (end, values) = (wide.position, wide.values)
        if narrow[0] != ones[0] { values[0] = narrow[0] }
      }
    } catch {
      // A comment or a name may look like a locator.
      guard case .contradiction = error, !zip(narrow, ones).contains(where: ==),
        try Self.isDirectory(content, at: position - Int64(narrow[1]))
      else { throw error }
    }
    let isWide = end != position
    let disks = [4, 6].map { bytes.little(UInt16.self, at: $0) }
    guard disks[0] == disks[1] else { throw .source(.splitZip("the zip is one part of several")) }
    disk = isWide && disks[0] == .max ? 0 : disks[0]
    // Where there is one part, its own count says nothing more.
    count = values[0]
    // The directory ends where its end record begins; its stated offset is off by the length of the prefix.
    guard values[1] <= UInt64(end) else { throw .contradiction("has a directory larger than itself") }
    directory = (end - Int64(values[1]))..<end
    guard values[2] <= UInt64(directory.lowerBound) else {
      throw .contradiction("has its directory elsewhere than its end says")
    }
    prefix = directory.lowerBound - Int64(values[2])
    leadsToDirectory = try Self.isDirectory(content, at: directory.lowerBound)
  }

  /// The last record before `position` of a zip that nothing precedes: a zip may hold others.
  private static func search(
    _ content: any SeekableSource, before position: Int64, _ cancellation: Cancellation
  ) throws(ZipDirectory.Refusal) -> ZipEnd? {
    var (end, candidates) = (position, 0)
    while end > Int64(length) {
      let start = max(0, end - Int64(step))
      let bytes = try ZipDirectory.reading { () throws(ArchiveError) in
        try cancellation.check()
        return try content.bytes(Int(end - start), at: start)
      }
      for offset in records(in: bytes) {
        let position = start + Int64(offset)
        let (size, place) = (
          bytes.little(UInt32.self, at: offset + 12), bytes.little(UInt32.self, at: offset + 16)
        )
        // zip64 says its numbers elsewhere.
        guard size == .max || place == .max || Int64(size) + Int64(place) == position else { continue }
        candidates += 1
        guard candidates <= mostCandidates else { return nil }
        do throws(ZipDirectory.Refusal) {
          let record = try ZipDirectory.reading { () throws(ArchiveError) in
            try content.bytes(length + longestComment, at: position)
          }
          var end = try ZipEnd(content, at: position, record)
          guard end.leadsToDirectory, end.prefix == 0 else { continue }
          end.oddity = followed
          return end
        } catch {
          if case .source(let error) = error, error.code != .unsupportedFeature { throw .source(error) }
        }
      }
      guard start > 0 else { break }
      end = start + Int64(length) - 1
    }
    return nil
  }

  /// The number of entries in the last end record (modulo 65,536), whatever else is wrong; nil if there is no record.
  static func count(in content: any ByteSource) throws(ArchiveError) -> Int? {
    guard let tail = try content.seekable?.tail(length + longestComment) else { return nil }
    return records(in: tail).first { _ in true }.map { Int(tail.little(UInt16.self, at: $0 + 10)) }
  }

  /// Whether the last bytes are an end record without a comment: another format in front may hide a whole zip.
  static func isAtEnd(of content: any SeekableSource) throws(ArchiveError) -> Bool {
    guard let record = try content.tail(length), record.count == length,
      record.starts(with: signature)
    else { return false }
    return record.little(UInt16.self, at: 20) == 0
  }

  /// Whether the content begins with a local header, after the marker of a zip that might have been split (8.5.4).
  static func beginsWithEntry(_ content: any SeekableSource) throws(ZipDirectory.Refusal) -> Bool {
    let head = try ZipDirectory.reading { () throws(ArchiveError) in try content.bytes(8, at: 0) }
    let entry: [UInt8] = [0x50, 0x4B, 3, 4]
    return head.starts(with: entry) || head.dropFirst(4).elementsEqual(entry)
  }

  private static func isDirectory(
    _ content: any SeekableSource, at offset: Int64
  ) throws(ZipDirectory.Refusal) -> Bool {
    guard offset >= 0 else { return false }
    return try ZipDirectory.reading { () throws(ArchiveError) in try content.bytes(4, at: offset) }
      == [0x50, 0x4B, 1, 2]
  }

  /// The offsets of all records, the last one first.
  private static func records(in bytes: [UInt8]) -> some Sequence<Int> {
    stride(from: bytes.count - length, through: 0, by: -1).lazy.filter {
      bytes[$0] == 0x50 && bytes.little(UInt32.self, at: $0) == 0x0605_4B50
    }
  }
}
