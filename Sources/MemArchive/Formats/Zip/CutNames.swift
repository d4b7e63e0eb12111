internal import Libc

/// The names in a zip that contain a NUL byte, where libarchive ends them: it would give an entry under the rest.
///
/// Every header's name in the file is looked at, whatever reader would find it, in one pass.
struct CutNames {
  private var names: Set<String> = []
  private let account: EntryAccount

  private static let step = 1 << 20
  private static let longest = 46 + 65_535

  init(_ content: any SeekableSource, in context: ExtractionContext) throws(ArchiveError) {
    account = EntryAccount(context.ledger)
    var start: Int64 = 0
    while start < content.size {
      try context.cancellation.check()
      let bytes = try content.bytes(Self.step + Self.longest, at: start)
      guard !bytes.isEmpty else { break }
      try find(in: bytes)
      start += Int64(Self.step)
    }
  }

  /// Whether the name may be what is left of one with a NUL.
  func contains(_ name: [UInt8]) -> Bool { !names.isEmpty && names.contains(Self.key(name[...])) }

  /// Adds the names whose headers begin in the first `step` bytes.
  private mutating func find(in bytes: [UInt8]) throws(ArchiveError) {
    var (position, nul) = (0, -1)
    while position < min(Self.step, bytes.count - 30), let found = Self.signature(in: bytes, from: position) {
      position = found + 1
      guard found < Self.step, found + 46 <= bytes.count else { continue }
      let isLocal = bytes.little(UInt32.self, at: found) == 0x0403_4B50
      guard isLocal || bytes.little(UInt32.self, at: found) == 0x0201_4B50 else { continue }
      let name = found + (isLocal ? 30 : 46)
      let count = Int(bytes.little(UInt16.self, at: found + (isLocal ? 26 : 28)))
      // The next NUL serves all headers in front of it.
      if nul < name { nul = bytes[name...].firstIndex(of: 0) ?? bytes.count }
      guard nul < min(name + count, bytes.count) else { continue }
      try account.hold(256 + Int64(nul - name), entry: nil)
      names.insert(Self.key(bytes[name..<nul]))
    }
  }

  /// The offset of the next "P", which signatures begin with.
  private static func signature(in bytes: [UInt8], from start: Int) -> Int? {
    unsafe bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress,
        let found = unsafe memchr(base + start, CInt(UInt8(ascii: "P")), bytes.count - start)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - base
    }
  }

  /// libarchive turns backslashes into slashes, composes letters, which are equal for Swift, and ends directories in a slash.
  private static func key(_ name: ArraySlice<UInt8>) -> String {
    var name = name.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 }
    while name.last == UInt8(ascii: "/") { name.removeLast() }
    return EntryName.key(name)
  }
}
