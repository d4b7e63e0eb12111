import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

/// The library without a writable file system. `make test` runs these again inside bubblewrap with every
/// file system read-only; in an ordinary run they show that the library needs nothing else.
struct ReadOnlyTests {
  /// Whether nothing can be written here.
  private static let isReadOnly = ["/tmp", "/dev/shm", "/var/tmp", "."].allSatisfy { (directory: String) in
    access(directory, W_OK) != 0
  }

  @Test(arguments: [
    "tree.tar.gz", "zip-deflated.zip", "7z-lzma2.7z", "cpio-newc.cpio", "ar-package.deb", "demo/demo.zip",
  ])
  func `Archives unpack, and their files open by path`(name: String) throws {
    let files = try ArchiveReader(path: Fixture.path(name)).extract()
    #expect(!files.isEmpty)
    for (_, file) in files {
      let content = try file.content
      #expect(try file.withPath { try Bytes(contentsOfFile: $0) } == content)
      #expect(try file.withFILE { stream in fseek(stream, 0, SEEK_END) == 0 && ftell(stream) == file.size })
    }
  }

  #if arch(x86_64)
  @Test func `A shared object loads and answers`() throws {
    let files = try ArchiveReader(path: Fixture.path("demo/demo.zip")).extract()
    let length = try #require(files["lib/libgreet.so"]).withPath { path in
      let library = dlopen(path, RTLD_NOW)
      defer { if let library { dlclose(library) } }
      typealias Greet = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<CChar>?, Int) -> CInt
      guard let greet = dlsym(library, "greet") else { return CInt(-1) }
      return unsafeBitCast(greet, to: Greet.self)("you", nil, 0)
    }
    #expect(length == CInt("Hello, you, from a library that was never on a disk.".utf8.count))
  }
  #endif

  @Test(.enabled(if: isReadOnly, "only inside bubblewrap, by make test"))
  func `Nothing could have been written`() {
    for directory in ["/tmp", "/dev/shm", "/var/tmp", "/run", FileManager.default.currentDirectoryPath] {
      let descriptor = open(directory + "/memarchive-probe", O_CREAT | O_WRONLY, 0o600)
      #expect(descriptor == -1)
      #expect(errno == EROFS || errno == ENOENT)
    }
  }
}
