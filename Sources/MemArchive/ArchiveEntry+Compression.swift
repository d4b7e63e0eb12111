extension ArchiveEntry {
  /// What an entry's own content is compressed by. What the whole archive is inside of, such as gzip, is none of it.
  public enum Compression: String, Codable, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// Not compressed.
    case stored
    case deflate, deflate64, bzip2, lzma, lzma2, xz, zstd, ppmd
    /// What PKZIP wrote before deflate.
    case shrink, reduce, implode
    /// What cabinets have.
    case mszip, quantum, lzx
    /// LHA's lh1 to lh7, lzs and lz5.
    case lzh
    case rar
    /// Anything else.
    case other

    /// The method in one word, such as "deflate".
    public var description: String { rawValue }
  }

  /// How the archive stores an entry's content. Only what has content has it, and only formats that record it.
  struct Packing: Hashable, Sendable {
    var compressedSize: Int64?
    var crc32: UInt32?
    var compression: Compression?
  }

  /// The bytes that the content takes in the archive, if the format records it for each entry (zip, rar, lha; 7z for what is
  /// not compressed together with others). Not verified before the content is read.
  public var compressedSize: Int64? { fields.value.packing.compressedSize }
  /// The CRC-32 that the content must have, if the header records it (zip, 7z, rar). Not verified before the content is read.
  public var crc32: UInt32? { fields.value.packing.crc32 }
  /// What the content is compressed by, if the format records it for each entry (zip, 7z, rar, lha, cab).
  public var compression: Compression? { fields.value.packing.compression }
}

extension ArchiveEntry.Compression {
  /// APPNOTE 4.4.5.
  init(zip method: UInt16) {
    switch method {
    case 0: self = .stored
    case 1: self = .shrink
    case 2...5: self = .reduce
    case 6: self = .implode
    case 8: self = .deflate
    case 9: self = .deflate64
    case 12: self = .bzip2
    case 14: self = .lzma
    case 20, 93: self = .zstd
    case 95: self = .xz
    case 98: self = .ppmd
    default: self = .other
    }
  }

  /// The lower bits of a cabinet's method.
  init(cab method: UInt16) {
    switch method & 15 {
    case 0: self = .stored
    case 1: self = .mszip
    case 2: self = .quantum
    case 3: self = .lzx
    default: self = .other
    }
  }

  /// LHA's names of methods.
  init(lha method: String) {
    self = ["-lh0-", "-lz4-", "-pm0-"].contains(method) ? .stored : method.hasPrefix("-l") ? .lzh : .other
  }
}
