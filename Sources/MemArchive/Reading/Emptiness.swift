/// Archives in which libarchive found no entry, and that say themselves that they hold some.
enum Emptiness {
  /// Throws where the end of a zip counts entries, or a 7z is longer than the header of an empty one.
  static func check(_ content: any ByteSource, _ format: ArchiveFormats?) throws(ArchiveError) {
    guard let content = content.seekable else { return }
    switch format {
    case .sevenZip:
      guard content.size > 32 else { return }
      throw .corrupt("no entry can be found in \(content.size) bytes of 7z")
    case .zip, nil:
      guard let count = try ZipEnd.count(in: content), count > 0 else { return }
      throw .corrupt("the zip's central directory cannot be read; its end counts \(count) entries")
    default: return
    }
  }
}
