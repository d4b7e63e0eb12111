internal import Glibc

/// Reads zip by its central directory, which says where content is and what it must be; a damaged entry does not affect the
/// others.
///
/// Encrypted entries and rare methods are decoded by libarchive, which reads the same entries in step.
final class ZipReader: EntryParser {
  private let directory: ZipDirectory
  private let content: any SeekableSource
  private let libArchive: ArchiveHandle?
  private var next = 0
  private var current: (record: ZipRecord, content: Int64)?
  private let contentReader: ZipContentReader
  private var localHeaders: HeaderWindow
  private(set) var isExhausted = false

  /// Longer link targets do not exist: PATH_MAX is 4096.
  private static let longestLink: UInt64 = 64 << 10

  init(
    _ directory: ZipDirectory, of content: any SeekableSource, in context: ExtractionContext
  ) throws(ZipDirectory.Refusal) {
    self.directory = directory
    self.content = content
    contentReader = ZipContentReader(
      SharedSource(content), readsAhead: context.threads > 1 && context.options.limits.ratio == nil)
    localHeaders = HeaderWindow(SharedSource(content))
    libArchive =
      directory.needsLibArchive
      ? try ZipDirectory.reading { () throws(ArchiveError) in
        try ArchiveHandle.entries(of: content, head: [], formats: .zip, in: context)
      } : nil
  }

  var comment: [UInt8]? { directory.comment.isEmpty ? nil : directory.comment }

  func nextHeader() throws(ArchiveError) -> Header? {
    current = nil
    guard next < directory.places.count else {
      // Nothing is left to be read: the directory after the last entry was read first.
      content.position = content.size
      return nil
    }
    let place = directory.places[next]
    next += 1
    let theirs = try headerInStep()
    guard let record = directory.record(place) else {
      throw .corrupt("the zip's directory cannot be read any more")
    }
    current = (record, place.content)
    guard !record.name.contains(0) else {
      current = nil
      throw .corrupt("the name contains a NUL byte", entry: EntryName.key(record.name))
    }
    return try header(of: record, at: place, theirs)
  }

  /// libarchive's header of the entry, if libarchive has to decode some entries.
  private func headerInStep() throws(ArchiveError) -> Header? {
    guard let libArchive else { return nil }
    do throws(ArchiveError) {
      guard let header = try libArchive.nextHeader() else {
        throw .corrupt("the zip holds fewer entries than its directory names")
      }
      return header
    } catch {
      isExhausted = libArchive.isExhausted
      throw error
    }
  }

  private func header(
    of record: ZipRecord, at place: ZipDirectory.Place, _ theirs: Header?
  ) throws(ArchiveError) -> Header {
    var (kind, mode) = record.kindAndMode
    var header = Header(name: record.name, kind: kind, size: Int64(record.size), mode: mode)
    if kind == .symlink {
      let link = record.isReadHere ? try target(record, place) : theirs?.link
      // A link with an empty target is a file with a link's attributes.
      if let link, !link.isEmpty { header.link = link } else { kind = .file }
    }
    if kind != .file {
      if kind == .directory, record.size > 0 {
        header.warning = "the directory holds \(record.size) bytes, which are left out"
      }
      header.size = 0
    }
    header.kind = kind
    header.isEncrypted = record.isEncrypted
    header.comment = record.comment.isEmpty ? nil : Array(record.comment)
    // The local header has more times than the directory.
    var local: ZipExtraFields?
    do throws(ZipDirectory.Refusal) {
      local = try ZipDirectory.local(&localHeaders, at: place.localHeader, nameLength: record.rawName.count)
        .extra
    } catch {
      if case .source(let error) = error { throw error }
      throw .truncated("the archive has changed while it was read", entry: EntryName.key(record.name))
    }
    let central = record.extra
    header.modified = local?.modified ?? central.modified ?? record.localTime
    var details = ArchiveEntry.Details()
    details.accessed = local?.accessed ?? central.accessed
    details.created = local?.created ?? central.created
    details.userID = local?.userID ?? central.userID
    details.groupID = local?.groupID ?? central.groupID
    header.details = details == ArchiveEntry.Details() ? nil : details
    return header
  }

  /// A symbolic link's content is its target.
  private func target(_ record: ZipRecord, _ place: ZipDirectory.Place) throws(ArchiveError) -> [UInt8] {
    guard record.size <= Self.longestLink else {
      throw .corrupt(
        "the symbolic link's target has \(record.size) bytes", entry: EntryName.key(record.name))
    }
    var target: [UInt8] = []
    do throws(ArchiveError) {
      _ = try forEachBlock(declared: nil) { (block, _) throws(ArchiveError) in
        guard target.count + block.byteCount <= Int(record.size) else {
          throw .corrupt("the link's target is longer than its header declares")
        }
        unsafe block.withUnsafeBytes { unsafe target.append(contentsOf: $0) }
      }
    } catch {
      throw error.naming(EntryName.key(record.name))
    }
    return target
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let (record, start) = current else { return 0 }
    guard record.isReadHere else {
      guard let libArchive else { return 0 }
      do throws(ArchiveError) {
        return try libArchive.forEachBlock(declared: declared, body)
      } catch {
        isExhausted = libArchive.isExhausted
        throw error
      }
    }
    return try contentReader.forEachBlock(of: ZipContent(record, start: start), body)
  }

  var detachedContent: ZipContent? {
    guard let (record, start) = current, record.isReadHere else { return nil }
    return ZipContent(record, start: start)
  }

  var sharedContent: SharedSource? { SharedSource(content) }
}

extension ZipRecord {
  /// The entry's kind and mode, by its attributes (APPNOTE 4.4.2, 4.4.15) and its name.
  fileprivate var kindAndMode: (ArchiveEntry.Kind, UInt16) {
    let isNamedDirectory = rawName.last == UInt8(ascii: "/")
    switch madeBy >> 8 {
    case 3:
      let mode = externalAttributes >> 16
      let permissions = UInt16(mode & 0o7777)
      if isNamedDirectory { return (.directory, permissions) }
      switch mode & S_IFMT {
      case S_IFLNK: return (.symlink, permissions)
      // An entry with content is a file, whatever its attributes say.
      case _ where size > 0: return (.file, permissions)
      case S_IFDIR: return (.directory, permissions)
      case S_IFSOCK: return (.socket, permissions)
      case S_IFCHR: return (.character, permissions)
      case S_IFBLK: return (.block, permissions)
      // A pipe's content is what zip(1) read from it.
      default: return (.file, permissions)
      }
    case 0:
      let isDirectory = isNamedDirectory || (externalAttributes & 0x10 != 0 && size == 0)
      let mode: UInt16 = isDirectory ? 0o775 : 0o664
      return (isDirectory ? .directory : .file, externalAttributes & 1 != 0 ? mode & 0o555 : mode)
    default: return isNamedDirectory ? (.directory, 0o775) : (.file, 0o664)
    }
  }

  /// The header's own time, which is local time (4.4.6); nil if it is invalid.
  fileprivate var localTime: ArchiveEntry.Time? {
    guard date != 0 else { return nil }
    var parts = unsafe tm()
    unsafe parts.tm_year = Int32(date >> 25) + 80
    unsafe parts.tm_mon = Int32(date >> 21 & 15) - 1
    unsafe parts.tm_mday = Int32(date >> 16 & 31)
    unsafe parts.tm_hour = Int32(date >> 11 & 31)
    unsafe parts.tm_min = Int32(date >> 5 & 63)
    unsafe parts.tm_sec = Int32(date & 31) * 2
    unsafe parts.tm_isdst = -1
    let seconds = unsafe mktime(&parts)
    return seconds == -1 ? nil : ArchiveEntry.Time(seconds: Int64(seconds))
  }
}
