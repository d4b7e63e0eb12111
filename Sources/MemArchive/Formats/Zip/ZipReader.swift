internal import Libc

/// Reads zip by its central directory, which says where content is and what it must be; a damaged entry does not affect the
/// others.
///
/// Encrypted entries and rare methods are decoded by libarchive, which reads the same entries in step.
final class ZipReader: EntryParser {
  private let directory: ZipDirectory
  private let content: any SeekableSource
  private let context: ExtractionContext
  private var next = 0
  private var current: (record: ZipRecord, place: ZipDirectory.Place)?
  private let contentReader: ZipContentReader
  private var localHeaders: HeaderWindow
  /// Opened for the first entry that is decoded by it.
  private var libArchive: ArchiveHandle?
  /// The numbers of the current entry and of libarchive's among all local headers, which is how libarchive counts.
  private var (ordinal, theirOrdinal) = (-1, -1)

  init(_ directory: ZipDirectory, of content: any SeekableSource, in context: ExtractionContext) {
    self.directory = directory
    self.content = content
    self.context = context
    contentReader = ZipContentReader(
      SharedSource(content), readsAhead: context.threads > 1 && context.options.limits.ratio == nil)
    localHeaders = HeaderWindow(SharedSource(content))
  }

  /// Its number in the directory.
  var place: Int64? { current == nil ? nil : Int64(next - 1) }

  func begin(at place: Int64) throws(ArchiveError) {
    guard place < directory.places.count else { throw .changed() }
    next = Int(place)
    let earlier = directory.places[..<next]
    ordinal =
      zip(earlier.dropFirst(), earlier).count { $0.localHeader != $1.localHeader }
      + (earlier.isEmpty ? -1 : 0)
  }

  var comment: [UInt8]? { directory.comment.isEmpty ? nil : directory.comment }
  /// Each entry is found by the directory, whatever is wrong with others.
  var isExhausted: Bool { false }

  func nextHeader() throws(ArchiveError) -> Header? {
    current = nil
    guard next < directory.places.count else {
      // Nothing is left to be read: the directory after the last entry was read first.
      content.position = content.size
      return nil
    }
    let place = directory.places[next]
    if next == 0 || directory.places[next - 1].localHeader != place.localHeader { ordinal += 1 }
    next += 1
    guard let record = directory.record(place) else {
      throw .corrupt("the zip's directory cannot be read any more")
    }
    if let defect = place.defect, defect.hidesHeader {
      throw defect.error(record).naming(EntryName.key(record.name))
    }
    current = (record, place)
    return try header(of: record, at: place)
  }

  /// libarchive, at the current entry's content, and its header of it.
  private func libArchiveInStep() throws(ArchiveError) -> (ArchiveHandle, Header) {
    let handle: ArchiveHandle
    if let libArchive {
      handle = libArchive
    } else {
      handle = try ArchiveHandle.entries(of: content, head: [], formats: .zip, in: context)
    }
    libArchive = handle
    guard theirOrdinal < ordinal else { throw .corrupt("the entry is the same one as another") }
    var header: Header?
    while theirOrdinal < ordinal {
      theirOrdinal += 1
      do throws(ArchiveError) {
        header = try handle.nextHeader()
        if header == nil { throw .corrupt("the zip holds fewer entries than its directory names") }
      } catch {
        guard theirOrdinal < ordinal, !handle.isExhausted, error.concernsArchive else { throw error }
      }
    }
    guard let header else { throw .corrupt("the zip's entry cannot be read again") }
    return (handle, header)
  }

  private func header(
    of record: ZipRecord, at place: ZipDirectory.Place
  ) throws(ArchiveError) -> Header {
    var (kind, mode) = record.kindAndMode
    var link: [UInt8]?
    if kind == .symlink {
      // A link with an empty target is a file with a link's attributes.
      if let target = try target(record), !target.isEmpty { link = target } else { kind = .file }
    }
    var header = record.header(kind, mode)
    header.link = link
    header.packing = record.packing
    header.comment = record.comment.isEmpty ? nil : Array(record.comment)
    let (central, local) = (record.extra, try localFields(record, place, &header))
    if central.isCut || local?.isCut == true { header.note("a malformed extra field is ignored") }
    header.take([local, central].compactMap(\.self), record.date)
    return header
  }

  /// The extra fields of the local header, which has more times than the directory.
  private func localFields(
    _ record: ZipRecord, _ place: ZipDirectory.Place, _ header: inout Header
  ) throws(ArchiveError) -> ZipExtraFields? {
    if place.defect == .elsewhere || !directory.isChecked { return nil }
    do throws(ZipDirectory.Refusal) {
      let local = try ZipDirectory.local(
        &localHeaders, at: place.localHeader, nameLength: record.rawName.count)
      if local.rawName.isEmpty, !record.rawName.isEmpty {
        header.note("the name is missing in front of the content")
      }
      return local.extra
    } catch {
      if case .source(let error) = error { throw error }
      throw .truncated("the archive has changed while it was read", entry: EntryName.key(record.name))
    }
  }

  /// A symbolic link's content is its target; nil if libarchive finds none.
  private func target(_ record: ZipRecord) throws(ArchiveError) -> [UInt8]? {
    if record.isLeftToLibArchive, current?.place.defect == nil {
      return try libArchiveInStep().1.link
    }
    return try readTarget(record.name, size: Int64(record.size))
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let record = current?.record else { return 0 }
    let place = try directory.checkedPlace(next - 1)
    if let defect = place.defect { throw defect.error(record) }
    if record.isReadHere {
      return try contentReader.forEachBlock(of: ZipContent(record, start: place.content), body)
    }
    if let refusal = record.refusal { throw refusal }
    return try libArchiveInStep().0.forEachBlock(declared: declared, body)
  }

  var detachedContent: ZipContent? {
    // What is wrong with it is reported where it is read.
    guard let record = current?.record, record.isReadHere,
      let place = try? directory.checkedPlace(next - 1), place.defect == nil
    else { return nil }
    return ZipContent(record, start: place.content)
  }

  var sharedContent: SharedSource? { SharedSource(content) }
}

extension ZipRecord {
  /// The header of an entry of this kind.
  func header(_ kind: ArchiveEntry.Kind, _ mode: UInt16?) -> Header {
    var header = Header(name: name, kind: kind, size: kind == .file ? Int64(size) : 0, mode: mode)
    if kind == .directory, size > 0 { header.note("the directory holds \(size) bytes, which are left out") }
    header.isEncrypted = isEncrypted
    if flags & 1 << 11 != 0, !isUTF8 { header.note("the name is flagged as UTF-8, and is not") }
    return header
  }

  /// The entry's kind and mode, by its attributes (APPNOTE 4.4.2, 4.4.15) and its name. DOS knows no mode but that nobody may
  /// write.
  var kindAndMode: (ArchiveEntry.Kind, UInt16?) {
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
      return isDirectory ? (.directory, nil) : (.file, externalAttributes & 1 != 0 ? 0o444 : nil)
    default: return (isNamedDirectory ? .directory : .file, nil)
    }
  }

  /// How the content is stored. WinZip's AE-2 has a zero in place of the checksum.
  var packing: ArchiveEntry.Packing {
    ArchiveEntry.Packing(
      compressedSize: Int64(clamping: compressedSize),
      crc32: extra.encryptedMethod != nil && checksum == 0 ? nil : checksum,
      compression: .init(zip: extra.encryptedMethod ?? method))
  }

  /// Whether the name is UTF-8, as its flag says.
  fileprivate var isUTF8: Bool {
    rawName.allSatisfy { $0 < 0x80 } || String(validating: rawName, as: UTF8.self) != nil
  }
}

extension Header {
  /// Adds a note on what is odd about it.
  mutating func note(_ text: String) {
    warning = warning.map { $0 + "; " + text } ?? text
  }

  /// Takes times and owners from extra fields, of which the first that have one win.
  ///
  /// - Parameter date: The DOS date and time of the header, where no field has a better one.
  mutating func take(_ fields: [ZipExtraFields], _ date: UInt32) {
    func first<Value>(_ field: (ZipExtraFields) -> Value?) -> Value? { fields.lazy.compactMap(field).first }
    modified = first(\.modified) ?? ArchiveEntry.Time(dos: date)
    var details = ArchiveEntry.Details()
    details.accessed = first(\.accessed)
    details.created = first(\.created)
    details.userID = first(\.userID)
    details.groupID = first(\.groupID)
    self.details = details == ArchiveEntry.Details() ? nil : details
  }
}
