internal import CLibArchive
internal import Libc

/// Access control lists in the spelling of acl(5): libarchive reads what star wrote.
enum AccessControlText {
  enum Kind: Hashable {
    case access, `default`, nfs4

    fileprivate var code: CInt {
      switch self {
      case .access: CInt(ARCHIVE_ENTRY_ACL_TYPE_ACCESS)
      case .default: CInt(ARCHIVE_ENTRY_ACL_TYPE_DEFAULT)
      case .nfs4:
        CInt(
          ARCHIVE_ENTRY_ACL_TYPE_ALLOW | ARCHIVE_ENTRY_ACL_TYPE_DENY | ARCHIVE_ENTRY_ACL_TYPE_AUDIT
            | ARCHIVE_ENTRY_ACL_TYPE_ALARM)
      }
    }
  }

  /// The lists as one text; nil if there is none that can be read.
  static func joined(_ lists: [Kind: [UInt8]], mode: UInt16) throws(ArchiveError) -> String? {
    guard !lists.isEmpty else { return nil }
    let library = unsafe try LibArchive.functions()
    guard let entry = unsafe library.pointee.archive_entry_new() else { return nil }
    defer { unsafe library.pointee.archive_entry_free(entry) }
    unsafe library.pointee.archive_entry_set_perm(entry, mode_t(mode))
    for kind in [Kind.access, .default, .nfs4] {
      guard let list = lists[kind], !list.contains(0) else { continue }
      let text = list.map { CChar(bitPattern: $0) } + [0]
      unsafe _ = text.withUnsafeBufferPointer {
        unsafe library.pointee.archive_entry_acl_from_text(entry, $0.baseAddress, kind.code)
      }
    }
    guard unsafe library.pointee.archive_entry_acl_types(entry) != 0,
      let text = unsafe library.pointee.archive_entry_acl_to_text(entry, nil, 0)
    else { return nil }
    defer { unsafe free(text) }
    return unsafe EntryName.key(UnsafeRawBufferPointer(start: text, count: strlen(text)))
  }
}

extension AccessControlText {
  /// The lists in a text of several lines, each under the name that star gives it, and with commas in place of newlines.
  static func split(_ text: String) -> [(key: String, text: String)] {
    var lists: [String: [Substring]] = [:]
    for line in text.split(whereSeparator: { $0 == "\n" || $0 == "," }) {
      if line.hasPrefix("default:") {
        lists["default", default: []].append(line.dropFirst("default:".count))
      } else {
        let isNFS4 = [":allow", ":deny", ":audit", ":alarm"].contains { line.contains($0) }
        lists[isNFS4 ? "ace" : "access", default: []].append(line)
      }
    }
    return lists.sorted { $0.key < $1.key }.map { ($0.key, $0.value.joined(separator: ",")) }
  }

  /// Reads what Solaris writes in a header of its own (tar(5), "A"): an octal number of the kind and the count, and a text.
  static func addSolaris(_ bytes: [UInt8], to lists: inout [Kind: [UInt8]]) {
    let digits = bytes.prefix { (0x30...0x37).contains($0) }
    guard digits.count <= 12, bytes.dropFirst(digits.count).first == 0 else { return }
    let text = Array(bytes.dropFirst(digits.count + 1).prefix { $0 != 0 })
    switch digits.reduce(0, { $0 << 3 | Int($1 - 0x30) }) & 0o3000000 {
    case 0o1000000: lists[.access] = text
    case 0o3000000: lists[.nfs4] = text
    default: break
    }
  }
}
