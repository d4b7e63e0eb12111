import ArgumentParser
import MemArchive

/// The formats of --formats: "all", "standard", or names with commas between them.
struct FormatList: ExpressibleByArgument {
  let formats: ArchiveFormats

  private static let named: [(name: String, formats: ArchiveFormats)] = [
    ("standard", .standard), ("all", .all), ("tar", .tar), ("zip", .zip), ("7z", .sevenZip), ("cpio", .cpio),
    ("ar", .ar), ("file", .loneFile), ("rar", [.rar, .rar5]), ("cab", .cab), ("lha", .lha), ("iso", .iso9660),
    ("xar", .xar), ("warc", .warc),
  ]

  /// The names, for the help.
  static var names: String { named.map(\.name).joined(separator: ", ") }

  init?(argument: String) {
    var formats: ArchiveFormats = []
    for name in argument.lowercased().split(separator: ",") {
      guard let known = Self.named.first(where: { $0.name == name }) else { return nil }
      formats.formUnion(known.formats)
    }
    guard !formats.isEmpty else { return nil }
    self.formats = formats
  }
}
