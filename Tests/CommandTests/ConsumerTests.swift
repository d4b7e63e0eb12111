import TestSupport
import Testing

/// Programs that take only a path, each with an entry of the demonstration archive.
struct ConsumerTests {
  @Test func `python3 runs a script, which finds itself under its path`() throws {
    let outcome = try Program.run("run", "demo/demo.zip", "--", "python3", "{scripts/hello.py}", "a", "b")
    let digest = try Program.run("digest", "demo/demo.zip", "scripts/hello.py").output.text.prefix(64)
    #expect(outcome.end == .exit(0))
    #expect(outcome.errors == "")
    let shape = #/Hello, a\.\nHello, b\.\nI am (\d+) bytes at /proc/self/fd/\d+, sha256 ([0-9a-f]{64})\n/#
    let match = try #require(try shape.wholeMatch(in: outcome.output.text), "\(outcome.output)")
    #expect(match.1 == "323" && match.2 == digest)
  }

  @Test func `openssl reads a certificate`() throws {
    let outcome = try Program.run(
      "run", "demo/demo.zip", "--", "openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in",
      "{tls/cert.pem}")
    #expect(outcome == .done("subject=CN=demo.invalid,O=MemArchive\n"))
  }

  #if arch(x86_64)
  @Test func `dlopen loads a shared object, and its functions run`() throws {
    let script: ByteString = """
      import ctypes, sys
      library = ctypes.CDLL(sys.argv[1])
      text = ctypes.create_string_buffer(100)
      print(library.greet(b"archive", text, 100), text.value.decode())
      library.greet_adler32.restype = ctypes.c_uint32
      print(library.greet_adler32(b"Wikipedia", ctypes.c_size_t(9)))
      """
    let outcome = try Program.run(
      "run", "demo/demo.zip", "--", "python3", "-c", script, "{lib/libgreet.so}")
    // Adler-32 of "Wikipedia" is that encyclopedia's own example: 0x11E60398.
    #expect(outcome == .done("56 Hello, archive, from a library that was never on a disk.\n300286872\n"))
  }
  #endif
}
