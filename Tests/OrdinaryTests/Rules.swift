import MemArchive

/// The metadata that must equal what an archive's own tool restores, besides names, contents, kinds and link targets, and
/// the absence of warnings. Times are compared to the nanosecond.
struct Rules {
  enum Family: String, Decodable {
    case tar, zip, document, jar, cpio, ar, deb, rpm, iso, squashfs
    case wheel = "whl"
    case sevenZip = "7z"
    case lone
  }

  /// Whether the archive has entries for directories; otherwise the names in it imply them.
  var hasDirectories = true
  /// Whether the tool sets permissions.
  var modes = true
  /// The kinds whose times the tool sets, and leaves as they are when it unpacks further entries.
  var times: Set<String> = ["file", "directory", "symlink"]
  /// For a tree in an inner archive, the prefix of that archive's name.
  var outer: String?
  /// Whether it is only content, without a name of its own.
  var isLone = false
  var formats = ArchiveFormats.standard

  /// The one table.
  static func of(_ family: Family) -> Self {
    switch family {
    case .tar, .sevenZip: Self()
    // unzip sets no times of symbolic links, nor does xorriso.
    case .zip: Self(times: ["file", "directory"])
    case .iso: Self(times: ["file", "directory"], formats: .iso9660)
    case .squashfs: Self(formats: .squashfs)
    case .document: Self(hasDirectories: false)
    case .wheel: Self(hasDirectories: false, times: ["file"])
    case .jar: Self(modes: false, times: [])
    // cpio sets the time of a directory before it creates the directory's content.
    case .cpio, .rpm: Self(times: ["file"])
    case .ar: Self()
    // dpkg-deb packs symbolic links last, which changes their directories.
    case .deb: Self(times: ["file", "symlink"], outer: "data.tar")
    case .lone: Self(modes: false, times: [], isLone: true)
    }
  }
}
