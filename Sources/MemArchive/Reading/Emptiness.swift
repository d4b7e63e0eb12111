/// Archives in which libarchive found no entry, and that say themselves that they hold some.
enum Emptiness {
  /// Throws where the end of a zip counts entries, or a 7z is longer than the header of an empty one.
  static func check(_ content: any ByteSource, _ head: [UInt8]) throws(ArchiveError) {
    guard let content = content as? any SeekableSource else { return }
    switch Container.recognise(head) {
    case .sevenZip:
      guard content.size > 32 else { return }
      throw .corrupt("no entry can be found in \(content.size) bytes of 7z")
    case .zip, nil:
      guard let count = try zipCount(content), count > 0 else { return }
      throw .corrupt("the zip's central directory cannot be read; its end counts \(count) entries")
    default: return
    }
  }

  /// The number of entries in the last end of central directory record (APPNOTE 4.3.16), which a comment of at most 64 KiB
  /// may follow.
  private static func zipCount(_ content: any SeekableSource) throws(ArchiveError) -> Int? {
    guard let tail = try content.tail(22 + 65_535), tail.count >= 22 else { return nil }
    for start in stride(from: tail.count - 22, through: 0, by: -1)
    where tail[start] == 0x50 && tail[start...].starts(with: [0x50, 0x4B, 5, 6]) {
      return Int(tail[start + 10]) | Int(tail[start + 11]) << 8
    }
    return nil
  }
}
