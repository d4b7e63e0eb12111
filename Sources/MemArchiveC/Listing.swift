// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive

/// What was in an archive, and what happened.
struct Listing {
  var entries: [ArchiveEntry] = []
  var warnings: [ArchiveWarning] = []
  var errors: [ArchiveError] = []
  var skipped: [ArchiveWarning] = []
  var protection: SandboxProtection?
  var comment: String?

  func value(in arena: Arena) -> memarchive_listing {
    unsafe memarchive_listing(
      entries: arena.list(entries.map { unsafe $0.value(in: arena) }), entry_count: entries.count,
      warnings: arena.list(warnings.map { unsafe $0.value(in: arena) }), warning_count: warnings.count,
      errors: arena.list(errors.map { unsafe ErrorReport($0).value(in: arena) }), error_count: errors.count,
      skipped: arena.list(skipped.map { unsafe $0.value(in: arena) }), skipped_count: skipped.count,
      protection: arena.cString(protection.map { "\($0)" }), comment: arena.name(comment))
  }
}

extension ArchiveWarning {
  fileprivate func value(in arena: Arena) -> memarchive_warning {
    unsafe memarchive_warning(
      code_name: arena.cString("\(code)"), entry: arena.name(entry), text: arena.cString(text))
  }
}

extension ArchiveEntry {
  func value(in arena: Arena) -> memarchive_entry {
    func time(_ time: Time?) -> memarchive_time {
      memarchive_time(
        seconds: time?.seconds ?? 0, nanoseconds: time.map { Int32(clamping: $0.nanoseconds) } ?? -1)
    }
    return unsafe memarchive_entry(
      name: arena.name(name), raw_name: arena.text(rawName), link: arena.name(link),
      kind: memarchive_kind(Kind.inOrder.firstIndex(of: kind) ?? 0), mode: mode.map { Int32($0) } ?? -1,
      size: size ?? -1, compressed_size: compressedSize ?? -1, modified: time(modified),
      accessed: time(accessed),
      changed: time(changed), created: time(created), user_id: userID ?? -1, group_id: groupID ?? -1,
      user: arena.name(user), group: arena.name(group), comment: arena.name(comment),
      compression: arena.cString(compression.map { "\($0)" }), crc32: crc32 ?? 0,
      has_crc32: crc32 == nil ? 0 : 1,
      is_encrypted: isEncrypted ? 1 : 0, has_content: hasContent ? 1 : 0,
      is_safe_relative: isSafeRelative ? 1 : 0)
  }
}

extension ArchiveEntry.Kind {
  /// In the order of MEMARCHIVE_KIND_FILE and those behind it.
  fileprivate static let inOrder: [Self] = [
    .file, .directory, .symlink, .hardlink, .fifo, .socket, .character, .block,
  ]
}

@c(memarchive_listing_free)
public func listingFree(_ listing: UnsafeMutablePointer<memarchive_listing>?) { unsafe Arena.free(listing) }
