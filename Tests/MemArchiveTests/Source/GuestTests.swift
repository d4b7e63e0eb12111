import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// The library is a guest in its host's process.
struct GuestTests {
  @Test func `A locale of the host's own stays as it is`() async {
    await #expect(processExitsWith: .success) {
      let before = String(cString: setlocale(LC_ALL, nil))
      let thread = uselocale(nil)
      let files = try ArchiveReader(path: Fixture.path("zip-utf8-flag.zip")).extract()
      guard !files.isEmpty, String(cString: setlocale(LC_ALL, nil)) == before, uselocale(nil) == thread else {
        exit(1)
      }
    }
  }

  @Test(arguments: Isolation.allCases)
  func `A missing file, a directory and one without permission are reported`(_ isolation: Isolation)
    throws
  {
    let missing = #expect(throws: ArchiveError.self) {
      try ArchiveReader(path: "/nonexistent/x.zip").extract(options: isolation.applied())
    }
    #expect(missing?.code == .system)
    #expect(missing?.errno == .noSuchFileOrDirectory)
    #expect(
      missing?.description
        == "\"/nonexistent/x.zip\": cannot be opened (open: No such file or directory). "
        + "Check the path and its permissions; an archive must be a file or a pipe.")
    let directory = #expect(throws: ArchiveError.self) {
      try ArchiveReader(path: "/").extract(options: isolation.applied())
    }
    #expect(directory?.errno == .isDirectory)
    let closed = #expect(throws: ArchiveError.self) {
      try ArchiveReader(descriptor: FileDescriptor(rawValue: 9999)).extract(options: isolation.applied())
    }
    #expect(closed?.errno == .badFileDescriptor)
  }

  @Test(arguments: Isolation.allCases)
  func `An archive inside an archive opens from its file`(_ isolation: Isolation) throws {
    let package = try ArchiveReader(path: Fixture.path("ar-package.deb")).extract(
      options: isolation.applied())
    let data = try #require(package["data.tar.xz"])
    let inner = try ArchiveReader(contentsOf: data).extract(options: isolation.applied())
    #expect(!inner.isEmpty)
    #expect(try inner.allSatisfy { try $0.file.seals.isSuperset(of: .final) })
  }

  @Test func `The platform report knows this machine`() {
    let report = PlatformReport()
    #expect(report.libraries.contains { $0.hasPrefix("libarchive 3.") })
    #expect(report.kernel.hasPrefix("Linux "))
    #expect(report.features.first { $0.name.hasPrefix("memfd") }?.isAvailable == true)
  }
}
