/// What keeps one entry of a zip from being read, where all others can be.
enum ZipDefect: UInt8, Error {
  /// A number is all ones, and no zip64 field has it (APPNOTE 4.5.3).
  case zip64Missing
  /// One header has two zip64 fields, which differ.
  case zip64Differs
  /// Info-ZIP's field of the name is too short or too long (4.6.9).
  case unicodePath
  /// One of its two names contains a NUL byte.
  case nulInName
  /// Its header would be after all entries.
  case outside
  /// The content is in another part of a split zip (4.4.11).
  case elsewhere
  /// Its bytes reach into the next entry, or into the directory.
  case overlap

  /// Whether not even the size or the name is known.
  var hidesHeader: Bool { self != .elsewhere && self != .overlap }

  func error(_ record: ZipRecord) -> ArchiveError {
    switch self {
    case .zip64Missing:
      .corrupt("a size or an offset is left to a zip64 field, which is missing or malformed")
    case .zip64Differs: .corrupt("the entry has two zip64 fields that differ")
    case .unicodePath: .corrupt("the field of the name in Unicode is malformed")
    case .nulInName: .nulInName(EntryName.key(record.name))
    case .outside: .corrupt("the directory says that the entry begins after all entries")
    case .elsewhere: .splitZip("the entry is in part \(Int(record.disk) + 1) of a split zip")
    case .overlap:
      ArchiveError(
        .corrupt, "the entry overlaps another one in the zip, as in a zip bomb",
        advice: .readOverlappingEntries)
    }
  }
}

extension ArchiveError {
  static func splitZip(_ reason: String) -> Self {
    Self(
      .unsupportedFeature, reason + ", and split zips are not read",
      advice: "Join the parts first, with `zip -s 0 split.zip --out joined.zip`.")
  }
}

extension ZipRecord {
  /// The methods that libarchive decodes; the first two are decoded here if not encrypted.
  private static let decoded: [UInt16] = [0, 8, 12, 14, 93, 95, 98]
  private static let aes: UInt16 = 99

  /// Why no reader decodes the content; nil if one does.
  var refusal: ArchiveError? {
    guard !isReadHere else { return nil }
    if flags & 1 << 5 != 0 { return .unsupportedMethod("compressed patched data is not read") }
    if flags & (1 << 6 | 1) == 1 << 6 | 1 {
      return ArchiveError(
        .unsupportedFeature, "PKWARE's strong encryption is not decrypted",
        advice: "Unpack it with its own program, and pack it again with AES-256.")
    }
    var method = method
    if method == Self.aes {
      guard let encrypted = extra.encryptedMethod else {
        return .corrupt("the field with the parameters of the AES encryption is missing or malformed")
      }
      method = encrypted
    }
    let name = Self.name(of: method)
    // libarchive (all versions up to 3.8.9) decrypts only what is stored or deflated.
    if isEncrypted, method != 0, method != 8 { return .unsupportedMethod("encrypted \(name) is not decoded") }
    return Self.decoded.contains(method) ? nil : .unsupportedMethod("\(name) is not decoded")
  }

  /// Whether libarchive decodes the content.
  var isLeftToLibArchive: Bool { !isReadHere && refusal == nil }

  /// APPNOTE 4.4.5.
  private static func name(of method: UInt16) -> String {
    let names: [UInt16: String] = [
      1: "Shrink", 2: "Reduce 1", 3: "Reduce 2", 4: "Reduce 3", 5: "Reduce 4", 6: "Implode", 7: "Tokenize",
      9: "Deflate64", 10: "PKWARE DCL Implode", 12: "BZIP2", 14: "LZMA", 16: "IBM CMPSC", 18: "IBM TERSE",
      19: "IBM LZ77", 93: "Zstandard", 94: "MP3", 95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd",
    ]
    return names[method].map { "\($0) (method \(method))" } ?? "compression method \(method)"
  }
}
