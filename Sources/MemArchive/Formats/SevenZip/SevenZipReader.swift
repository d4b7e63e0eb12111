#if FastDecoders
internal import Libc

/// Reads 7z by its header. The entries of a folder are one stream: entries that are not wanted are decoded and dropped, as far
/// as a wanted one follows. A damaged folder costs only its own entries.
final class SevenZipReader: EntryParser {
  private let archive: SevenZipArchive
  private let content: any SeekableSource
  private let nameOfNameless: [UInt8]?
  private let warnings: WarningLog
  private let cancellation: Cancellation
  private var decoding: SevenZipDecoding
  private var next = 0
  private var nextStream = 0
  private var current: SevenZipStreams.Stream?
  private var folder: FolderStream?
  private let queue: BlockQueue<SourceBlock>
  private let readsAhead: Bool
  /// Folders that cannot be read on.
  private var failures: [Int: ArchiveError] = [:]

  let isExhausted = false

  /// Folders of this size are worth a thread that decodes while another one verifies and stores.
  private static let large: Int64 = 4 << 20

  init(
    _ archive: SevenZipArchive, of content: any SeekableSource, nameOfNameless: [UInt8]?,
    warnings: WarningLog,
    in context: ExtractionContext
  ) {
    (self.archive, self.content, self.nameOfNameless) = (archive, content, nameOfNameless)
    (self.warnings, cancellation, decoding) = (warnings, context.cancellation, archive.decoding)
    // Limits.ratio compares bytes read and produced so far, which takes a single thread.
    readsAhead = context.threads > 1 && context.options.limits.ratio == nil
    queue = BlockQueue(threads: context.threads, ahead: 4)
  }

  /// Its number in the header.
  var place: Int64? { Int64(next - 1) }

  func begin(at place: Int64) throws(ArchiveError) {
    guard place < archive.files.files.count else { throw .changed() }
    next = Int(place)
    nextStream = archive.files.files[..<next].count { $0.hasStream }
  }

  func nextHeader() throws(ArchiveError) -> Header? {
    current = nil
    while next < archive.files.files.count {
      let file = archive.files.files[next]
      next += 1
      var stream: SevenZipStreams.Stream?
      if file.hasStream {
        stream = archive.streams.streams[nextStream]
        nextStream += 1
      }
      let name = archive.files.name(of: file)
      guard !file.isAnti else {
        warnings.add(
          "the 7z says that it is to be deleted, which was ignored", entry: name.map { EntryName.key($0) })
        continue
      }
      current = stream
      return try header(of: file, name, stream)
    }
    // What remains was read first.
    content.position = content.size
    if try !content.isZero(from: archive.end) {
      warnings.addDataAfterEnd()
    }
    return nil
  }

  private func header(
    of file: SevenZipFiles.File, _ name: [UInt8]?, _ stream: SevenZipStreams.Stream?
  ) throws(ArchiveError) -> Header {
    // 7-Zip names what has no name after the archive.
    guard var name = name ?? nameOfNameless else { throw .corrupt("an entry of the 7z has no name") }
    let (kind, mode) = file.kindAndMode(size: stream?.size ?? 0)
    if kind == .directory, name.last != UInt8(ascii: "/") { name.append(UInt8(ascii: "/")) }
    var header = Header(name: name, kind: kind, size: stream?.size ?? 0, mode: mode)
    if kind == .symlink {
      do throws(ArchiveError) {
        header.link = try readTarget(name, size: header.size ?? 0)
        header.size = 0
      } catch {
        guard error.code == .passphraseRequired else { throw error }
        // Listed without its target, like other encrypted content.
        header.kind = .file
      }
    }
    header.packing.compressedSize = stream == nil ? 0 : nil
    if let stream {
      header.isEncrypted = archive.streams.folders[stream.folder].isEncrypted
      header.packing = archive.streams.packing(of: stream)
    }
    header.modified = file.modified.map { ArchiveEntry.Time(windows: $0) }
    var details = ArchiveEntry.Details()
    details.accessed = file.accessed.map { ArchiveEntry.Time(windows: $0) }
    details.created = file.created.map { ArchiveEntry.Time(windows: $0) }
    header.details = details == ArchiveEntry.Details() ? nil : details
    return header
  }

  func forEachBlock(
    declared: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    guard let stream = current else { return 0 }
    var checksum = CRC32()
    if stream.size > 0 {
      let folder = try open(stream.folder, at: stream.offset)
      do throws(ArchiveError) {
        try folder.skip(to: stream.offset, cancellation)
        var end: Int64 = 0
        while end < stream.size {
          try folder.take(upTo: stream.size - end) { block throws(ArchiveError) in
            checksum.update(block)
            let start = end
            end += Int64(block.byteCount)
            try body(block, start)
          }
        }
        if folder.isAtEnd { try folder.finish() }
        if let wanted = stream.checksum { try checksum.check(against: wanted) }
      } catch {
        let error = folder.isEncrypted && !folder.isVerified ? error.orWrongPassphrase : error
        if folder.failure != nil { failures[stream.folder] = error }
        throw error
      }
      folder.isVerified = folder.isVerified || stream.checksum != nil
    } else if let wanted = stream.checksum {
      try checksum.check(against: wanted)
    }
    return stream.size
  }

  /// A folder that is not decoded beyond `offset` yet.
  private func open(_ index: Int, at offset: Int64) throws(ArchiveError) -> FolderStream {
    if let failure = failures[index] { throw failure }
    if let folder, folder.index == index, folder.position <= offset, folder.failure == nil { return folder }
    let isNext = index == (folder?.index ?? -1) + 1
    folder = nil
    do throws(ArchiveError) {
      let opened = FolderStream(try decoder(of: index), archive.streams.folders[index], index)
      folder = opened
      if isNext { decodeAhead(from: (queue.last?.index ?? index) + 1) }
      return opened
    } catch {
      // What takes as long to find out for each entry.
      if [.unsupportedFeature, .corrupt].contains(error.code) { failures[index] = error }
      throw error
    }
  }

  private func decoder(of index: Int) throws(ArchiveError) -> any ByteSource {
    if let decoded = QueuedFolder(index, in: queue) { return decoded }
    let decoder = try decoding.folder(index, of: archive.streams)
    let isAhead = readsAhead && archive.streams.folders[index].size >= Self.large
    return isAhead ? ReadAheadSource(decoder, stop: Cancellation()) : decoder
  }

  /// Lets other threads decode the folders from `start` on, as many as there is room for.
  private func decodeAhead(from start: Int) {
    guard readsAhead else { return }
    for index in start..<max(start, archive.streams.folders.count) {
      let folder = archive.streams.folders[index]
      let (memory, overflow) = folder.size.addingReportingOverflow(folder.memory)
      // What is wrong with a folder is said when it is read.
      guard !overflow, queue.admission(of: Int(memory)) == .taken,
        let decoder = try? decoding.folder(index, of: archive.streams)
      else { return }
      let block = SourceBlock(decoder, index, memory: Int(folder.memory))
      // A byte too many is an error of the folder.
      guard queue.take(block, packed: 0, room: Int(folder.size) + 1) == .taken else { return }
    }
  }
}

extension SevenZipFiles.File {
  /// The entry's kind and mode, by its attributes, which have those of Unix in their higher half.
  fileprivate func kindAndMode(size: Int64) -> (ArchiveEntry.Kind, UInt16?) {
    // The flag by which p7zip and 7-Zip say that the higher half is a mode.
    let mode = attributes & 0x8000 != 0 ? attributes >> 16 : 0
    let kind: ArchiveEntry.Kind =
      switch mode & S_IFMT {
      case _ where !hasStream && !isEmptyFile: .directory
      case S_IFLNK where size > 0: .symlink
      // An entry with content is a file, whatever its attributes say.
      case _ where hasStream: .file
      case S_IFDIR: .directory
      case S_IFIFO: .fifo
      case S_IFSOCK: .socket
      case S_IFCHR: .character
      case S_IFBLK: .block
      default: .file
      }
    let isReadOnly = attributes & 1 != 0
    if mode == 0 { return (kind, isReadOnly && kind != .directory ? 0o444 : nil) }
    return (kind, UInt16(mode & (isReadOnly ? 0o7555 : 0o7777)))
  }
}
#endif
