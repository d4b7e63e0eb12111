import MemArchive

/// What `--version` prints: first aid for a bug report.
struct SystemReport: CustomStringConvertible {
  private let platform = PlatformReport()

  var description: String {
    var text = "memarchive \(PlatformReport.version)\n"
    for library in platform.libraries { text += "  \(library)\n" }
    text += "kernel: \(platform.kernel)\n"
    let width = platform.features.map(\.name.count).max() ?? 0
    for feature in platform.features {
      let answer = feature.isAvailable.map { $0 ? "yes" : "no " } ?? "?  "
      let space = String(repeating: " ", count: width - feature.name.count)
      text += "  \(feature.name)\(space)  \(answer)  \(feature.meaning)\n"
    }
    return text
  }
}
