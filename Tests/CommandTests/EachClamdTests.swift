import Foundation
import TestSupport
import Testing

/// `each --clamd` with what answers as clamd(8) says; the real one is in the scenarios of the consumers' tests.
struct EachClamdTests {
  /// Answers to each file by its content: FOUND for "bad", an error for "odd", OK otherwise. Ends a session after so many
  /// files without an answer, as clamd does with an idle one, and the program after so many sessions.
  private static let server: ByteString = """
    import array, os, socket, sys
    files, sessions = int(sys.argv[1]), int(sys.argv[2])
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket.new")
    server.listen()
    os.rename("socket.new", "socket")
    for _ in range(sessions):
        connection, _ = server.accept()
        buffer, descriptors = b"", []
        def read(size):
            global buffer
            while len(buffer) < size:
                more, extra, _, _ = connection.recvmsg(size - len(buffer), socket.CMSG_SPACE(4))
                if not more:
                    raise EOFError
                buffer += more
                for _, _, data in extra:
                    descriptors.append(array.array("i", data)[0])
            taken, buffer = buffer[:size], buffer[size:]
            return taken
        try:
            assert read(11) == b"zIDSESSION\\0"
            for number in range(1, files + 1):
                assert read(8) == b"zFILDES\\0" and read(1) == b"\\0"
                content = os.pread(descriptors[0], 100, 0)
                os.close(descriptors.pop())
                answer = {b"bad": "Some.Thing FOUND", b"odd": "Can't allocate memory ERROR"}.get(content, "OK")
                connection.send(f"{number}: fd[9]: {answer}\\0".encode())
        except EOFError:
            pass
        connection.close()
    """

  private func scan(
    _ contents: [ByteString], files: Int = 100, sessions: Int = 2, _ options: ByteString...
  ) throws -> Outcome {
    try withTemporaryDirectory { directory in
      let entries = contents.enumerated().map { ByteString.entry("\($0)", $1) }
      try ByteString.tar(entries.reduce("", +)).write(to: directory + "/a.tar")
      try Self.server.write(to: directory + "/server.py")
      return try Program.shell(
        """
        python3 server.py \(files) \(sessions) & server=$!
        until [ -S socket ] || ! kill -0 $server; do :; done
        $m each a.tar --jobs 1 --clamd socket "$@"; status=$?; kill $server 2>/dev/null; exit $status
        """, options.first ?? "", in: directory)
    }
  }

  @Test func `What was found is told, and the exit status says so`() throws {
    let outcome = try scan(["good", "bad", ""], sessions: 1, "-v")
    #expect(outcome.end == .exit(123))
    #expect(outcome.output == "a.tar: 0: OK\na.tar: 1: Some.Thing FOUND\na.tar: 2: OK\n")
    #expect(try scan(["good", "good"], "-v").end == .exit(0))
    #expect(
      try scan(["good", "bad"], "-q") == .failed(123, output: "a.tar: 1: Some.Thing FOUND\n", errors: ""))
  }

  @Test func `JSON has the verdict`() throws {
    let outcome = try scan(["good", "bad"], "--json")
    let objects = try JSONLines(outcome.output).objects
    #expect(objects.map { $0["verdict"] } == [.text("OK"), .text("FOUND"), .text("OK")], "\(outcome)")
    #expect(objects[1]["found"] == .text("Some.Thing"))
  }

  @Test func `What cannot be scanned is an error, and not clean`() throws {
    let outcome = try scan(["odd", "good"], "-v")
    #expect(outcome.end == .exit(4))
    #expect(outcome.output == "a.tar: 1: OK\n", "\(outcome)")
    #expect(
      outcome.errors.text.contains(#"entry "0": clamd could not scan it (Can't allocate memory)"#),
      "\(outcome)")
  }

  @Test func `A session that clamd has ended is begun again`() throws {
    let outcome = try scan(["good", "bad", "good", "good", "bad"], files: 2, sessions: 3, "-q")
    let expected: ByteString = "a.tar: 1: Some.Thing FOUND\na.tar: 4: Some.Thing FOUND\n"
    #expect(outcome == .failed(123, output: expected, errors: ""))
  }

  @Test func `Where clamd has gone, nothing more is said to be clean`() throws {
    let outcome = try scan(["good", "good", "good"], files: 1, sessions: 1, "-v")
    #expect(outcome.end == .exit(4))
    #expect(outcome.output == "a.tar: 0: OK\n", "\(outcome)")
    #expect(outcome.errors.text.contains("clamd at socket: "), "\(outcome)")
  }
}
