import Foundation
import TestSupport
import Testing

// BEGIN README
import Glibc
import MemArchive

func greet() throws -> UInt32 {
  let files = try ArchiveReader(path: "Fixtures/demo/demo.zip").extract()  // name → MemFile
  for (name, file) in files { print(name, file.size, "bytes,", try file.seals) }

  return try files["lib/libgreet.so"]!.withPath { path in  // "/proc/self/fd/7", in memory, sealed
    let library = dlopen(path, RTLD_NOW)  // a C function that only takes a path
    defer { dlclose(library!) }
    typealias Adler32 = @convention(c) (UnsafePointer<CChar>, Int) -> UInt32
    return unsafeBitCast(dlsym(library, "greet_adler32"), to: Adler32.self)("abc", 3)
  }
}
// END README

/// README's example is this file's beginning, and it works.
struct ReadmeTests {
  @Test func `README shows the example that is compiled here`() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let example = try #require(
      source.split(separator: "// BEGIN README\n").last?.split(separator: "\n// END README").first)
    let readme = try Repository.text(of: "README.md")
    #expect(readme.contains("```swift\n" + example + "\n```"))
  }

  /// Each is in one of the tests that begin with one.
  @Test func `README shows no other example`() throws {
    let examples = try Repository.text(of: "README.md").matches(of: /```swift\n(?!\.package)/)
    #expect(examples.count == 4)
  }

  #if arch(x86_64)
  /// In a process of its own, because the working directory is shared.
  @Test func `The example calls a library that is only in an archive`() async {
    await #expect(processExitsWith: .success) {
      guard chdir(Repository.path("")) == 0 else { exit(1) }
      // Adler-32 of "abc", RFC 1950.
      guard try greet() == 0x024D_0127 else { exit(2) }
    }
  }
  #endif
}
