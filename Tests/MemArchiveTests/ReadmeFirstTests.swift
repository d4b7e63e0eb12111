import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

/// README's first lines are compiled here, with a synthesizer that only opens the path.
struct ReadmeFirstTests {
  private func fluid_synth_sfload(_ synth: CInt, _ path: UnsafePointer<CChar>, _ reset: CInt) -> CInt {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    return descriptor < 0 ? -1 : synth
  }

  @Test func `README begins with the lines that are compiled here`() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let lines = try #require(
      source.split(separator: "    // BEGIN README\n").last?.split(separator: "\n    // END README").first)
    let example = lines.split(separator: "\n").map { $0.dropFirst(4) }.joined(separator: "\n")
    #expect(
      try Repository.text(of: "README.md").contains(
        "```swift\n" + example.replacing(#"path: song"#, with: #"path: "song.zip""#) + "\n```"))
  }

  @Test func `They load a file by its path`() throws {
    let synth: CInt = 7
    let song = FileManager.default.temporaryDirectory.appending(path: "song-\(UUID().uuidString)").path
    try Data(Zip.archive(.init("gm.sf2", [1, 2, 3]))).write(to: URL(fileURLWithPath: song))
    defer { unlink(song) }
    // BEGIN README
    let files = try ArchiveReader(path: song).extract()  // name → MemFile
    let font = try files["gm.sf2"]!.withPath { path in  // "/proc/self/fd/7", in memory, sealed
      fluid_synth_sfload(synth, path, 1)  // a C function that only takes a path
    }
    // END README
    #expect(font == synth)
  }
}
