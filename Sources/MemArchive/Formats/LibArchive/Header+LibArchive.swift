internal import CLibArchive
internal import Libc

extension Header {
  /// Copies an entry's header from the C object.
  init(_ entry: OpaquePointer, by library: UnsafePointer<clibarchive>, isTar: Bool, warning: String?) {
    // Where no locale is UTF-8, what is in UTF-8 in the archive (RAR 5) has no other form.
    let hardlink = unsafe Self.bytes(
      library.pointee.archive_entry_hardlink(entry) ?? library.pointee.archive_entry_hardlink_utf8(entry))
    name = unsafe Self.bytes(library.pointee.archive_entry_pathname(entry))
    kind = hardlink != nil ? .hardlink : unsafe Self.kind(library.pointee.archive_entry_filetype(entry))
    link =
      unsafe hardlink
      ?? Self.bytes(
        library.pointee.archive_entry_symlink(entry) ?? library.pointee.archive_entry_symlink_utf8(entry))
    // The "content" of a symlink is its target, which some formats count and others deliver as data.
    size =
      switch kind {
      case .file, .hardlink:
        unsafe library.pointee.archive_entry_size_is_set(entry) != 0
          ? library.pointee.archive_entry_size(entry) : nil
      default: 0
      }
    modified =
      unsafe library.pointee.archive_entry_mtime_is_set(entry) != 0
      ? Self.time(
        library.pointee.archive_entry_mtime(entry), library.pointee.archive_entry_mtime_nsec(entry),
        isTar: isTar) : nil
    mode = unsafe UInt16(truncatingIfNeeded: library.pointee.archive_entry_perm(entry))
    linkCount = unsafe max(1, Int(library.pointee.archive_entry_nlink(entry)))
    isEncrypted = unsafe library.pointee.archive_entry_is_encrypted(entry) > 0
    details = unsafe Self.details(entry, library)
    // In the locale that keeps raw bytes, every non-ASCII name causes this note.
    self.warning = warning.flatMap { $0.contains("can't be converted") ? nil : $0 }
  }

  /// libarchive (all versions up to 3.8.9) splits pax's "-1.5" into -1 s and 5e8 ns, which is half a second before 1970
  /// instead of one and a half.
  private static func time(_ seconds: time_t, _ nanoseconds: Int, isTar: Bool) -> ArchiveEntry.Time {
    isTar && seconds < 0 && nanoseconds > 0
      ? ArchiveEntry.Time(seconds: Int64(seconds) - 1, nanoseconds: 1_000_000_000 - nanoseconds)
      : ArchiveEntry.Time(seconds: Int64(seconds), nanoseconds: nanoseconds)
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
    // In formats without types, and for zip entries without one, it is a file.
    default: .file
    }
  }

  /// The rarely used metadata; nil if there is none.
  private static func details(
    _ entry: OpaquePointer, _ library: UnsafePointer<clibarchive>
  ) -> ArchiveEntry.Details? {
    var details = ArchiveEntry.Details()
    if unsafe library.pointee.archive_entry_atime_is_set(entry) != 0 {
      details.accessed = unsafe time(
        library.pointee.archive_entry_atime(entry), library.pointee.archive_entry_atime_nsec(entry),
        isTar: false)
    }
    if unsafe library.pointee.archive_entry_ctime_is_set(entry) != 0 {
      details.changed = unsafe time(
        library.pointee.archive_entry_ctime(entry), library.pointee.archive_entry_ctime_nsec(entry),
        isTar: false)
    }
    if unsafe library.pointee.archive_entry_birthtime_is_set(entry) != 0 {
      details.created = unsafe time(
        library.pointee.archive_entry_birthtime(entry), library.pointee.archive_entry_birthtime_nsec(entry),
        isTar: false)
    }
    // libarchive does not say whether a format has owners; if not, they read as root's.
    let (user, group) = unsafe (
      library.pointee.archive_entry_uid(entry), library.pointee.archive_entry_gid(entry)
    )
    details.user = unsafe bytes(library.pointee.archive_entry_uname(entry)).flatMap {
      $0.isEmpty ? nil : EntryName.key($0)
    }
    details.group = unsafe bytes(library.pointee.archive_entry_gname(entry)).flatMap {
      $0.isEmpty ? nil : EntryName.key($0)
    }
    if user != 0 || group != 0 || details.user != nil || details.group != nil {
      (details.userID, details.groupID) = (user, group)
    }
    if unsafe library.pointee.archive_entry_acl_types(entry) != 0,
      let text = unsafe library.pointee.archive_entry_acl_to_text(entry, nil, 0)
    {
      details.accessControlList = unsafe bytes(text).map { EntryName.key($0) }
      unsafe free(text)
    }
    unsafe _ = library.pointee.archive_entry_xattr_reset(entry)
    var (name, value, count): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
    while unsafe library.pointee.archive_entry_xattr_next(entry, &name, &value, &count) == ARCHIVE_OK {
      let content = unsafe value.map { unsafe [UInt8](UnsafeRawBufferPointer(start: $0, count: count)) }
      details.attributes.append(
        ArchiveEntry.ExtendedAttribute(
          name: unsafe bytes(name).map { EntryName.key($0) } ?? "", value: content ?? []))
    }
    return details == ArchiveEntry.Details() ? nil : details
  }
}
