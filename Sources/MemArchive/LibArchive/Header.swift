internal import CLibArchive
internal import Glibc

/// One entry's header as libarchive gives it, copied out of the C object.
struct Header {
  /// The name's bytes; nil where libarchive cannot decode them.
  let name: [UInt8]?
  let kind: ArchiveEntry.Kind
  let size: Int64?
  let modified: ArchiveEntry.Time?
  let mode: UInt16
  let link: [UInt8]?
  let linkCount: Int
  let isEncrypted: Bool
  /// libarchive's note on the header.
  let warning: String?

  init(_ entry: OpaquePointer, warning: String?) {
    let hardlink = unsafe Self.bytes(archive_entry_hardlink(entry))
    name = unsafe Self.bytes(archive_entry_pathname(entry))
    kind = hardlink != nil ? .hardlink : unsafe Self.kind(archive_entry_filetype(entry))
    link = unsafe hardlink ?? Self.bytes(archive_entry_symlink(entry))
    size = unsafe archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : nil
    modified = unsafe archive_entry_mtime_is_set(entry) == 0
      ? nil
      : ArchiveEntry.Time(
        seconds: Int64(archive_entry_mtime(entry)), nanoseconds: Int(archive_entry_mtime_nsec(entry)))
    mode = unsafe UInt16(truncatingIfNeeded: archive_entry_perm(entry))
    linkCount = unsafe max(1, Int(archive_entry_nlink(entry)))
    isEncrypted = unsafe archive_entry_is_encrypted(entry) > 0
    self.warning = warning
  }

  private static func bytes(_ string: UnsafePointer<CChar>?) -> [UInt8]? {
    guard let string = unsafe string else { return nil }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: string, count: strlen(string)))
  }

  private static func kind(_ type: mode_t) -> ArchiveEntry.Kind {
    switch type {
    case S_IFDIR: .directory
    case S_IFLNK: .symlink
    case S_IFIFO: .fifo
    case S_IFSOCK: .socket
    case S_IFCHR: .character
    case S_IFBLK: .block
    // Formats without types, and zip entries that name none, mean files.
    default: .file
    }
  }
}
