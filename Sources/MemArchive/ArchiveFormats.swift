/// The container formats that may be read. No archive can reach the reader of a format that is left out, however it begins.
public struct ArchiveFormats: OptionSet, Hashable, CaseIterable, Sendable {
  /// One bit per format.
  public let rawValue: Int
  /// Formats from their bits.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// tar: v7, POSIX ustar and pax, GNU, with or without sparse files.
  public static var tar: Self { Self(rawValue: 1 << 0) }
  /// zip (APPNOTE.TXT), also with other data in front.
  public static var zip: Self { Self(rawValue: 1 << 1) }
  /// 7z.
  public static var sevenZip: Self { Self(rawValue: 1 << 2) }
  /// cpio: newc, crc, odc, and the binary forms.
  public static var cpio: Self { Self(rawValue: 1 << 3) }
  /// ar, which includes Debian packages and static libraries.
  public static var ar: Self { Self(rawValue: 1 << 4) }
  /// A lone compressed file, such as `notes.txt.xz`.
  public static var loneFile: Self { Self(rawValue: 1 << 5) }
  /// rar before version 5.
  public static var rar: Self { Self(rawValue: 1 << 6) }
  /// rar version 5 and later.
  public static var rar5: Self { Self(rawValue: 1 << 7) }
  /// Microsoft cabinets.
  public static var cab: Self { Self(rawValue: 1 << 8) }
  /// lha and lzh.
  public static var lha: Self { Self(rawValue: 1 << 9) }
  /// CD images: ISO 9660 with Rock Ridge or Joliet.
  public static var iso9660: Self { Self(rawValue: 1 << 10) }
  /// xar.
  public static var xar: Self { Self(rawValue: 1 << 11) }
  /// Web archives, WARC.
  public static var warc: Self { Self(rawValue: 1 << 12) }
  /// squashfs images, also after a program (AppImage) and in a SIF of Apptainer; a snap is one.
  public static var squashfs: Self { Self(rawValue: 1 << 13) }

  /// The formats whose readers are sound enough for any input: tar, zip, 7z, cpio, ar and lone compressed files.
  public static var standard: Self { [.tar, .zip, .sevenZip, .cpio, .ar, .loneFile] }
  /// Every format. libarchive 3.6.2, the version in Debian 12, reads rar, ISO 9660 and xar, and can crash or hang on hostile
  /// files of these, and libsquashfs, which reads squashfs, was not written for such either: allow what ``standard`` leaves out only if the archive is trusted or losing the process does no harm.
  public static var all: Self {
    [.standard, .rar, .rar5, .cab, .lha, .iso9660, .xar, .warc, .squashfs]
  }

  /// Each format by itself, in the order of ``description``.
  public static var allCases: [Self] { named.map(\.format) }

  /// The name of each format: the only such table.
  private static let named: [(name: String, format: Self)] = [
    ("tar", .tar), ("zip", .zip), ("7z", .sevenZip), ("cpio", .cpio), ("ar", .ar), ("file", .loneFile),
    ("rar4", .rar), ("rar5", .rar5), ("cab", .cab), ("lha", .lha), ("iso", .iso9660), ("xar", .xar),
    ("warc", .warc), ("squashfs", .squashfs),
  ]
  /// Names for groups of formats.
  private static let groups: [(name: String, format: Self)] = [
    ("standard", .standard), ("all", .all), ("rar", [.rar, .rar5]),
  ]

  /// All names that `init(_:)` accepts.
  package static var names: [String] { (groups + named).map(\.name) }
}

extension ArchiveFormats: LosslessStringConvertible {
  /// The formats' names, separated by commas, such as "tar, zip"; ``init(_:)`` reads them back.
  public var description: String {
    Self.named.filter { contains($0.format) }.map(\.name).joined(separator: ", ")
  }

  /// Formats from their names, separated by commas: tar, zip, 7z, cpio, ar, file (a lone compressed file), rar4, rar5,
  /// cab, lha, iso, xar, warc, squashfs; and the groups rar, standard and all. Case does not matter. `nil` if any of the names is
  /// unknown.
  public init?(_ description: String) {
    self = []
    for name in description.lowercased().split(separator: ",") {
      let name = name.drop { $0 == " " }
      guard let known = (Self.groups + Self.named).first(where: { $0.name == name }) else { return nil }
      formUnion(known.format)
    }
  }
}
