/// What the headers of a RAR archive say about one file.
struct RARFile {
  /// Where its first header begins.
  let offset: Int64
  var header: Header
  /// Whether a part of it is in an earlier volume, or in a later one, that is not there.
  var isContinued = false
  var continuesLater = false
  /// Whether libarchive passes over it.
  var isLeftOut = false
  /// Why it cannot be decoded; nil if it can.
  var unsupported: String?
  /// The CRC-32 of the content.
  var checksum: UInt32?
  /// Whether stored content has a BLAKE2sp hash instead, which is not verified.
  var hasUnverifiedHash = false

  /// Why its content cannot be had; nil if it can.
  var refusal: ArchiveError? {
    let together: ArchiveError.Advice = "Give all volumes of the archive together, the first one first."
    if header.kind != .file { return nil }
    if isContinued {
      return ArchiveError(
        .unsupportedFeature, "it is the rest of a file that begins in an earlier volume", advice: together)
    }
    if continuesLater { return ArchiveError(.truncated, "it goes on in a later volume", advice: together) }
    return unsupported.map {
      ArchiveError(
        .unsupportedFeature, $0, advice: "Unpack it with RAR's own program, and pack it again as zip.")
    }
  }

  /// A name of RAR 4: in the system's character set, which may be followed by NUL and what turns it into UTF-16; without NUL it is
  /// in UTF-8.
  static func name(_ field: ArraySlice<UInt8>, isUnicode: Bool) -> [UInt8] {
    let plain = field.prefix { $0 != 0 }
    var rest = field.dropFirst(plain.count + 1)
    guard isUnicode, let high = rest.popFirst().map({ UInt16($0) << 8 }) else { return Array(plain) }
    var units: [UInt16] = []
    var (codes, count): (UInt8, Int) = (0, 0)
    func low(_ change: UInt8 = 0) -> UInt16 {
      let index = plain.startIndex + units.count
      return UInt16(index < plain.endIndex ? plain[index] &+ change : 0)
    }
    while true {
      if count == 0 {
        guard let next = rest.popFirst() else { break }
        (codes, count) = (next, 4)
      }
      guard let byte = rest.popFirst() else { break }
      switch codes >> 6 {
      case 0: units.append(UInt16(byte))
      case 1: units.append(high | UInt16(byte))
      case 2: units.append(UInt16(rest.popFirst() ?? 0) << 8 | UInt16(byte))
      default:
        let change = byte & 0x80 == 0 ? nil : rest.popFirst() ?? 0
        for _ in 0..<Int(byte & 0x7F) + 2 { units.append(change.map { high | low($0) } ?? low()) }
      }
      (codes, count) = (codes << 2, count - 1)
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }
}
