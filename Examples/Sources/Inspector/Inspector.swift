import MemArchive

/// Says what an EPUB or a JAR is: `Inspector book.epub`.
@main
struct Inspector {
  static func main() throws {
    let reader = ArchiveReader(path: CommandLine.arguments[1])
    let entries = try reader.entries()
    let packed = entries.compactMap(\.compressedSize).reduce(0, +)
    print("\(entries.count { $0.kind == .file }) files, \(packed) bytes packed")
    for entry in entries where entry.compression == .stored { print("stored:", entry.name) }

    let names = ["META-INF/container.xml", "META-INF/MANIFEST.MF"].filter { name in
      entries.contains { $0.name == name }
    }
    let files = try reader.extract(.names(names))
    if let container = try files["META-INF/container.xml"]?.string() {
      let package = try attribute("full-path", of: container)
      let text = try reader.extract(.names(package))[package]!.string()
      print("title:", text.firstMatch(of: /<dc:title[^>]*>([^<]*)</).map { String($0.1) } ?? "none")
    } else if let manifest = try files["META-INF/MANIFEST.MF"]?.string() {
      for line in manifest.split(whereSeparator: \.isNewline) where line.hasPrefix("Main-Class:") {
        print(line)
      }
    } else {
      print("neither an EPUB nor a JAR")
    }
  }

  private struct NoPackage: Error {}

  private static func attribute(_ name: String, of text: String) throws -> String {
    guard let match = try Regex("\(name)=\"([^\"]*)\"").firstMatch(in: text),
      let value = match.output[1].substring
    else { throw NoPackage() }
    return String(value)
  }
}
