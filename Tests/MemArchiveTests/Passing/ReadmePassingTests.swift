import Foundation
import TestSupport
import Testing

// BEGIN README
import Glibc
import MemArchive
import SystemPackage

/// A library from an archive, received as another process would receive it.
func forward(_ files: MemFiles, over socket: FileDescriptor, to other: FileDescriptor) throws -> MemLibrary {
  try files["lib/libgreet.so"]!.send(to: socket)  // sealed memory, not a copy
  return try MemFile(receivedFrom: other).openLibrary()  // verified before anything about it is trusted
}
// END README

/// README's example of passing files on is this file's beginning, and it works.
struct ReadmePassingTests {
  @Test func `README shows the example that is compiled here`() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let example = try #require(
      source.split(separator: "// BEGIN README\n").last?.split(separator: "\n// END README").first)
    #expect(try Repository.text(of: "README.md").contains("```swift\n" + example + "\n```"))
  }

  #if arch(x86_64)
  @Test func `A library arrives and answers`() throws {
    let pair = try SocketPair()
    let files = try ArchiveReader(path: Fixture.path("demo/demo.zip")).extract()
    let library = try forward(files, over: pair.one, to: pair.other)
    typealias Adler32 = @convention(c) (UnsafePointer<CChar>, Int) -> UInt32
    let symbol = try #require(library.symbol("greet_adler32"))
    #expect(unsafeBitCast(symbol, to: Adler32.self)("abc", 3) == 0x024D_0127)
  }
  #endif
}
