import Foundation
import MemArchive
import TestSupport
import Testing

struct NamedPipeTests {
  @Test(arguments: Isolation.allCases)
  func `A named pipe is let go of when it has been read`(_ isolation: Isolation) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/pipe"
      try #require(mkfifo(path, 0o600) == 0)
      let writer = Thread {
        try? Data(Fixture.bytes("tar-ustar.tar")).write(to: URL(fileURLWithPath: path))
      }
      writer.start()
      #expect(try !ArchiveReader(path: path).entries(options: isolation.applied()).isEmpty)
      // ENXIO where nobody reads, fifo(7); the worker may be about to end.
      var (descriptor, tries) = (CInt(0), 0)
      repeat {
        descriptor = open(path, O_WRONLY | O_NONBLOCK)
        if descriptor >= 0 { close(descriptor) }
        tries += 1
        if descriptor >= 0 { usleep(10_000) }
      } while descriptor >= 0 && tries < 1000
      #expect(descriptor == -1 && errno == ENXIO)
    }
  }
}
