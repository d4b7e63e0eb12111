import Foundation
import MemArchive
import TestSupport
import Testing

// BEGIN README
func fonts() throws -> [String] {
  let tree = try ArchiveReader(path: "Fixtures/demo/demo.zip").tree()
  return try tree.withPath(of: "fonts") { try FileManager.default.contentsOfDirectory(atPath: $0) }
}
// END README

struct TreeReadmeTests {
  @Test func `README shows the example of a tree that is compiled here`() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let example = try #require(
      source.split(separator: "// BEGIN README\n").last?.split(separator: "\n// END README").first)
    let readme = try Repository.text(of: "README.md")
    #expect(readme.contains("```swift\n" + example + "\n```"))
  }

  /// In a process of its own, because the working directory is shared.
  @Test func `The example lists a directory that is only in an archive`() async {
    await #expect(processExitsWith: .success) {
      guard chdir(Repository.path("")) == 0 else { exit(1) }
      let names = try fonts()
      guard names.count == 1, names[0].hasSuffix(".ttf") || names[0].hasSuffix(".otf") else { exit(2) }
    }
  }
}
