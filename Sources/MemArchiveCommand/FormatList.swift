import ArgumentParser
import MemArchive

/// The formats of --formats: "all", "standard", or names with commas between them.
struct FormatList: ExpressibleByArgument {
  let formats: ArchiveFormats

  init?(argument: String) {
    guard let formats = ArchiveFormats(argument), !formats.isEmpty else { return nil }
    self.formats = formats
  }
}
