import CLibArchive
import Glibc
import MemArchive
import TestSupport
import Testing

/// A system without libarchive, and a worker that was locked in before it was loaded.
struct LibArchiveReachTests {
  private static func error(reading file: String) -> ArchiveError? {
    do throws(ArchiveError) {
      _ = try ArchiveReader(path: Fixture.path(file)).extract(
        options: ExtractionOptions { $0.formats = .all })
      return nil
    } catch {
      return error
    }
  }

  @Test func `What needs libarchive says so where it cannot be loaded, and all else is read`() async {
    await #expect(processExitsWith: .success) {
      clibarchive_stop_loading()
      #if FastDecoders
      let own = ["zip-deflated.zip", "tar-ustar.tar", "7z-lzma2.7z", "cpio-newc.cpio"]
      #else
      let own = ["zip-deflated.zip", "tar-ustar.tar", "cpio-newc.cpio"]
      #endif
      for file in own {
        #expect(Self.error(reading: file) == nil, "\(file)")
      }
      for file in ["odd/rar/rar5-links.rar", "zip-lzma.zip"] {
        let error = try #require(Self.error(reading: file), "\(file)")
        #expect(error.code == .system && error.call == "dlopen")
        #expect(error.reason.contains("libarchive.so.13"))
        #expect("\(error.advice)".contains("Install it"))
      }
      #expect(PlatformReport().libraries[0].hasPrefix("libarchive: "))
    }
  }

  @Test func `Without libarchive an access control list is left out, and that is said`() async {
    await #expect(processExitsWith: .success) {
      clibarchive_stop_loading()
      let archive = Tar.archive(
        Tar.pax("SCHILY.acl.access", Bytes("user::rw-,user:u:r--:7".utf8)) + Tar.entry("a", [1]))
      let files = try ArchiveReader(bytes: archive).extract()
      #expect(files["a"]?.entry?.accessControlList == nil)
      #expect(files.warnings.map(\.text).contains { $0.contains("access control list") })
    }
  }
}
