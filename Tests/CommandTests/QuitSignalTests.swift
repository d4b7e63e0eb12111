import Glibc
import TestSupport
import Testing

struct QuitSignalTests {
  @Test(arguments: ["off", "required"] as [ByteString])
  func `SIGQUIT ends the program at once, and it says nothing`(sandbox: ByteString) throws {
    let pipe = try PipeEnds()
    defer { close(pipe.writing) }
    // Enough to be recognized, and without its end, so that the program waits for more.
    let entry = ByteString.entry("file", "x" * 40_000).values
    try #require(entry.withUnsafeBytes { write(pipe.writing, $0.baseAddress, $0.count) } == entry.count)
    var command = Command(
      "sh", "-c", "ulimit -c 0; exec \"$0\" list -v --sandbox \"$1\" -", Program.path, sandbox)
    command.input = .descriptor(pipe.reading)
    command.environment["SWIFT_BACKTRACE"] = "enable=yes"
    let running = try command.start()
    close(pipe.reading)
    // It has begun once it says something.
    var state = pollfd(fd: running.errorDescriptor, events: Int16(POLLIN), revents: 0)
    try #require(poll(&state, 1, 60_000) == 1)
    kill(running.pid, SIGQUIT)
    let outcome = try running.wait()
    #expect(outcome.end == .signal(SIGQUIT))
    #expect(!outcome.errors.text.contains("Backtrace"), "\(outcome.errors)")
  }
}
