import Foundation
import Testing

/// The program under test, as it was built beside these tests.
enum Program {
  /// MEMARCHIVE_PROGRAM, or what lies beside the running test program.
  static let path: Bytes = {
    if let path = ProcessInfo.processInfo.environment["MEMARCHIVE_PROGRAM"] { return Bytes(path.utf8) }
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return Bytes(((own as NSString).deletingLastPathComponent + "/memarchive").utf8)
  }()

  /// The program with these arguments, to be started among the fixtures.
  static func command(_ arguments: [Bytes]) -> Command { Command([path] + arguments) }
  static func command(_ arguments: Bytes...) -> Command { command(arguments) }

  /// Runs the program among the fixtures.
  static func run(_ arguments: [Bytes], input: Command.Input = .nothing) throws -> Outcome {
    var command = command(arguments)
    command.input = input
    return try command.run()
  }

  static func run(_ arguments: Bytes..., input: Command.Input = .nothing) throws -> Outcome {
    try run(arguments, input: input)
  }

  /// Runs the program in a directory that holds these files alone.
  static func run(_ arguments: [Bytes], beside files: [String: Bytes]) throws -> Outcome {
    try withTemporaryDirectory { directory in
      for (name, bytes) in files { try bytes.write(to: directory + "/" + name) }
      var command = command(arguments)
      command.directory = directory
      return try command.run()
    }
  }

  static func run(_ arguments: Bytes..., beside files: [String: Bytes]) throws -> Outcome {
    try run(arguments, beside: files)
  }

  /// Runs the program among the fixtures, and expects that it does exactly this.
  static func expect(
    _ arguments: [Bytes], input: Command.Input = .nothing, gives expected: Outcome,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try run(arguments, input: input)
    #expect(outcome == expected, sourceLocation: sourceLocation)
  }

  static func expect(
    _ arguments: Bytes..., input: Command.Input = .nothing, gives expected: Outcome,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expect(arguments, input: input, gives: expected, sourceLocation: sourceLocation)
  }

  /// Runs a line of sh(1) in which `$m` is the program, and `$1` and so on are `arguments`.
  static func shell(_ script: Bytes, _ arguments: Bytes..., in directory: String = Fixture.directory) throws
    -> Outcome
  {
    var command = Command(["sh", "-c", "m=$0; " + script, path] + arguments)
    command.directory = directory
    return try command.run()
  }
}

/// A directory of the test's own, removed when `body` returns.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
  let url = FileManager.default.temporaryDirectory.appending(path: "memarchive-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url.path(percentEncoded: false))
}
