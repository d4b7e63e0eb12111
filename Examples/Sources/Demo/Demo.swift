import Glibc
import MemArchive

/// Unpacks the demonstration archive into sealed memory and lets unmodified C libraries read it, in this process.
@main
enum Demo {
  static func main() {
    guard CommandLine.arguments.count == 2 else {
      print("usage: Demo ARCHIVE")
      exit(2)
    }
    do {
      try run(archive: CommandLine.arguments[1])
    } catch {
      print("FAILED: \(error)")
      exit(1)
    }
  }

  private static func run(archive: String) throws {
    let inherited = try Footprint.descriptors()
    let files = try ArchiveReader(path: archive).extract()
    print("   \(files.count) entries, each now a sealed file in memory:")
    try printTable(of: files)

    let rendering = try Rendering(
      midi: files.named("music/tune.mid"), soundFont: files.named("music/tiny.sf2"))
    print("   FluidSynth   \(rendering)")

    let specimen = try Specimen(of: "MEMARCHIVE", font: files.named("fonts/memarchive-pixel.ttf"))
    print("   FreeType     \(specimen)")

    let greeting = try Greeting(
      library: files.named("lib/libgreet.so"), subject: files.named("music/tiny.sf2"))
    print("   dlopen       \(greeting)")

    let refusals = try Refusals(by: files.named("tls/cert.pem"))
    print("   the seals    \(refusals)")

    // The files are still held here: the descriptors it looks at include theirs.
    let footprint = try withExtendedLifetime(files) { try Footprint(besides: inherited) }
    print("   the disk     \(footprint)")
  }
}

/// A step that did not do what it should.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension MemFiles {
  func named(_ name: String) throws -> MemFile {
    guard let file = self[name] else { throw Failure("the archive holds no \(name)") }
    return file
  }
}
