#if arch(x86_64)
import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Shared libraries in memory, which the loader identifies by the text of their paths.
struct LibraryTests {
  private static let said = "from a library that was never on a disk."

  /// The demonstration's library, and a second one with another answer.
  private static func library(saying text: String = said) throws -> MemFile {
    let files = try ArchiveReader(path: Fixture.path("demo/demo.zip")).extract()
    var bytes = try #require(files["lib/libgreet.so"]).content
    let place = try #require(bytes.firstRange(of: Array(said.utf8)))
    bytes.replaceSubrange(place, with: text.utf8)
    return try MemFile(name: "libgreet.so", bytes: bytes)
  }

  private static let otherText = "from a library of quite another archive."

  private static func greeting(_ greet: UnsafeMutableRawPointer?) throws -> String {
    typealias Greet = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<CChar>?, Int) -> CInt
    var buffer = [CChar](repeating: 0, count: 100)
    _ = unsafeBitCast(try #require(greet), to: Greet.self)("you", &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  @Test func `A library opens, and closes with its object`() throws {
    var library: MemLibrary? = try Self.library().openLibrary()
    #expect(try Self.greeting(library?.symbol("greet")) == "Hello, you, " + Self.said)
    #expect(library?.symbol("no_such_symbol") == nil)
    #expect(library?.file.name == "libgreet.so")
    let name = try #require(library).file.withPath {
      try FileManager.default.destinationOfSymbolicLink(atPath: $0)
    }
    #expect(name == "/memfd:/libgreet.so (deleted)")
    library = nil
  }

  /// In a process of its own, where no other test opens or closes descriptors.
  @Test func `A number that is used again never returns an old library`() async {
    await #expect(processExitsWith: .success) {
      func path(_ file: MemFile) throws -> String { try file.path }
      // Loads a library by path, does not close it, and releases the file.
      var old: MemFile? = try LibraryTests.library()
      let oldPath = try path(old!)
      guard let oldHandle = dlopen(oldPath, RTLD_NOW) else { exit(1) }
      old = nil
      // The test's own machinery may close smaller numbers in the meantime, which are reused first.
      var others = [try LibraryTests.library(saying: LibraryTests.otherText)]
      while try path(others.last!) != oldPath, others.count < 100 {
        others.append(try MemFile(name: "libgreet.so", bytes: others[0].content))
      }
      let new = others.last!
      guard try path(new) == oldPath else { exit(2) }
      // For the same path the loader returns the old library: that is the trap.
      guard dlopen(oldPath, RTLD_NOW) == oldHandle else { exit(3) }
      let library = try new.openLibrary()
      guard library.handle != oldHandle else { exit(4) }
      let says = try LibraryTests.greeting(library.symbol("greet"))
      guard says == "Hello, you, " + LibraryTests.otherText else { exit(5) }
      guard try LibraryTests.greeting(dlsym(oldHandle, "greet")) == "Hello, you, " + LibraryTests.said
      else {
        exit(6)
      }
    }
  }

  @Test func `Many libraries that use a number in turn are each their own`() async {
    await #expect(processExitsWith: .success) {
      for round in 0..<40 {
        let text = round % 2 == 0 ? LibraryTests.said : LibraryTests.otherText
        let library = try LibraryTests.library(saying: text).openLibrary()
        guard try LibraryTests.greeting(library.symbol("greet")) == "Hello, you, " + text else { exit(1) }
      }
    }
  }

  @Test func `One file opened twice is one library`() throws {
    let file = try Self.library()
    let (one, two) = (try file.openLibrary(), try file.openLibrary())
    #expect(one.handle == two.handle)
  }

  @Test func `A file that is not a library is reported in the loader's words`() throws {
    let file = try MemFile(name: "text", bytes: Array("no library".utf8))
    let error = #expect(throws: ArchiveError.self) { try file.openLibrary() }
    #expect(error?.code == .system && error?.call == "dlopen" && error?.entry == "text")
    #expect(error?.reason.contains("file too short") == true, "\(error?.reason ?? "")")
  }
}
#endif
