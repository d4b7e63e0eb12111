import TestSupport
import Testing

/// `run --library-path`.
struct RunLibraryPathTests {
  private static let script: ByteString = """
    import ctypes
    print(ctypes.CDLL("libouter.so").outer())
    """

  @Test(arguments: [[], ["--tree"]] as [[ByteString]])
  func `The loader looks into a directory of the archive first`(options: [ByteString]) throws {
    let archive = ByteString(try Archives.path("libraries").utf8)
    let with = try Program.run(
      ["run", archive, "--library-path", "."] + options + ["--", "python3", "-c", Self.script])
    #expect(with == .done("43\n"))
    let without = try Program.run(["run", archive] + options + ["--", "python3", "-c", Self.script])
    #expect(without.end == .exit(1) && without.errors.text.contains("libouter.so: cannot open"))
  }

  @Test func `What is in LD_LIBRARY_PATH stays behind it`() throws {
    let archive = ByteString(try Archives.path("libraries").utf8)
    var command = Program.command(
      "run", archive, "--library-path", ".", "--tree", "--at", "/mnt", "--", "sh", "-c",
      "echo $LD_LIBRARY_PATH")
    command.environment["LD_LIBRARY_PATH"] = "/opt/other"
    let outcome = try command.run()
    #expect(outcome.end == .exit(0))
    #expect(
      outcome.output.text.hasPrefix("/mnt") && outcome.output.text.hasSuffix(":/opt/other\n"), "\(outcome)")
  }

  @Test(arguments: [[], ["--tree"]] as [[ByteString]])
  func `A directory that the archive does not have is told`(options: [ByteString]) throws {
    let archive = ByteString(try Archives.path("libraries").utf8)
    for name in ["lib", "libouter.so", "..", "../etc", "/"] as [ByteString] {
      let outcome = try Program.run(["run", archive, "--library-path", name] + options + ["--", "true"])
      #expect(outcome.end == .exit(2))
      let says = "--library-path \(name): the archive has no such directory. See memarchive list."
      #expect(outcome.errors.text.contains(says), "\(outcome)")
    }
    #expect(try Program.run("run", archive, "--library-path", "a:b", "--", "true").end == .exit(2))
  }

  @Test(arguments: [[], ["--tree"]] as [[ByteString]])
  func `A program of the archive runs, with the archive's loader too`(options: [ByteString]) throws {
    let archive = ByteString(try Archives.path("programs").utf8)
    let program = try Program.run(["run", archive] + options + ["--exec", "printf", "--", "%s", "x"])
    #expect(program == .done("x"))
    let loader = try Program.run(
      ["run", archive] + options + ["--exec", "ld.so", "--", "{printf}", "%s", "x"])
    #expect(loader == .done("x"))
  }
}
