import Libc
import MemArchive

/// The lines of `list`.
struct EntryLines {
  let isLong: Bool
  let isHuman: Bool

  /// Above the lines of --long.
  static let heading =
    "mode        owner                    size        packed  method     crc32     time                  name\n"

  func line(_ entry: ArchiveEntry) -> [UInt8] {
    let time = Self.padded(entry.modified.map(Self.time) ?? "-", 20)
    var bytes: [UInt8]
    if isLong {
      bytes = Array("\(Self.mode(entry))\(entry.isEncrypted ? "E" : " ") ".utf8)
      bytes += Self.padded(Self.owner(entry), 16)
      bytes += Array(" \(size(entry.size))  \(size(entry.compressedSize))  ".utf8)
      bytes += Array(Self.padded(entry.compression?.rawValue ?? "-", 9).utf8) + Array("  ".utf8)
      let crc = entry.crc32.map { EntryRecord.digits($0, 16, width: 8) } ?? "-"
      bytes += Array("\(Self.padded(crc, 8))  \(time)  ".utf8)
    } else {
      bytes = Array("\(Self.padded(entry.kind.rawValue, 9)) \(size(entry.size))  \(time)  ".utf8)
    }
    bytes += NameText.escaped(entry.name).bytes
    if let link = entry.link { bytes += Array(" -> ".utf8) + NameText.escaped(link).bytes }
    return bytes + [0x0A]
  }

  /// "3 entries, 2 files, 1501 bytes, 700 packed", as far as it is known of all files.
  func line(_ totals: EntryTotals) -> String {
    let size = totals.size.map { ", \(isHuman ? ByteCount.text($0) : "\($0) bytes")" } ?? ""
    let packed = totals.packed.map { ", \(isHuman ? ByteCount.text($0) : "\($0)") packed" } ?? ""
    return "\(totals.entries) entries, \(totals.files) files\(size)\(packed)\n"
  }

  private func size(_ size: Int64?) -> String {
    let text = size.map { isHuman ? ByteCount.text($0, unit: "B") : "\($0)" } ?? "-"
    return String(repeating: " ", count: max(0, 12 - text.count)) + text
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func padded(_ text: [UInt8], _ width: Int) -> [UInt8] {
    text + [UInt8](repeating: UInt8(ascii: " "), count: max(0, width - text.count))
  }

  /// "root/wheel", with numbers where there are no names.
  private static func owner(_ entry: ArchiveEntry) -> [UInt8] {
    let owner = entry.user ?? entry.userID.map(String.init)
    let group = entry.group ?? entry.groupID.map(String.init)
    guard owner != nil || group != nil else { return Array("-".utf8) }
    return NameText.escaped(owner ?? "-").bytes + Array("/".utf8) + NameText.escaped(group ?? "-").bytes
  }

  /// As ls(1) has it: "-rwsr-xr-x".
  private static func mode(_ entry: ArchiveEntry) -> String {
    let kind: Character =
      switch entry.kind {
      case .file: "-"
      case .directory: "d"
      case .symlink: "l"
      case .hardlink: "h"
      case .fifo: "p"
      case .socket: "s"
      case .character: "c"
      case .block: "b"
      }
    guard let mode = entry.mode else { return "\(kind)?????????" }
    var letters = Array("rwxrwxrwx")
    for bit in 0..<9 where mode & 1 << (8 - bit) == 0 { letters[bit] = "-" }
    for (bit, place, letter): (UInt16, Int, Character) in [
      (0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t"),
    ]
    where mode & bit != 0 {
      letters[place] = letters[place] == "x" ? letter : Character(letter.uppercased())
    }
    return String([kind] + letters)
  }

  /// As date(1) prints it, in any century.
  private static func time(_ time: ArchiveEntry.Time) -> String {
    var seconds = time_t(time.seconds)
    var parts = unsafe tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "\(time.seconds)" }
    var text = [CChar](repeating: 0, count: 64)
    let count = unsafe strftime(&text, text.count, "%04Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// What the listed entries are together, as their headers say.
struct EntryTotals {
  private(set) var (entries, files) = (0, 0)
  /// nil if it is not known of a file.
  private(set) var (size, packed): (Int64?, Int64?) = (0, 0)

  mutating func count(_ entry: ArchiveEntry) {
    entries += 1
    guard entry.kind == .file else { return }
    files += 1
    size = Self.sum(size, entry.size)
    packed = Self.sum(packed, entry.compressedSize)
  }

  private static func sum(_ left: Int64?, _ right: Int64?) -> Int64? {
    guard let left, let right else { return nil }
    // Headers may say anything.
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }
}
