import Foundation
package import Testing

/// The program under test, as it was built beside these tests.
package enum Program {
  /// MEMARCHIVE_PROGRAM, or what lies beside the running test program.
  package static let path: ByteString = {
    if let path = ProcessInfo.processInfo.environment["MEMARCHIVE_PROGRAM"] { return ByteString(path.utf8) }
    return ByteString((try? Repository.program("memarchive"))?.utf8 ?? "".utf8)
  }()

  /// The program with these arguments, to be started among the fixtures.
  package static func command(_ arguments: [ByteString]) -> Command { Command([path] + arguments) }
  package static func command(_ arguments: ByteString...) -> Command { command(arguments) }

  /// Runs the program among the fixtures.
  package static func run(_ arguments: [ByteString], input: Command.Input = .nothing) throws -> Outcome {
    var command = command(arguments)
    command.input = input
    return try command.run()
  }

  package static func run(_ arguments: ByteString..., input: Command.Input = .nothing) throws -> Outcome {
    try run(arguments, input: input)
  }

  /// Runs the program in a directory that holds these files alone.
  package static func run(_ arguments: [ByteString], beside files: [String: ByteString]) throws -> Outcome {
    try withTemporaryDirectory { directory in
      for (name, bytes) in files { try bytes.write(to: directory + "/" + name) }
      var command = command(arguments)
      command.directory = directory
      return try command.run()
    }
  }

  package static func run(_ arguments: ByteString..., beside files: [String: ByteString]) throws -> Outcome {
    try run(arguments, beside: files)
  }

  /// Runs the program among the fixtures, and expects that it does exactly this.
  package static func expect(
    _ arguments: [ByteString], input: Command.Input = .nothing, gives expected: Outcome,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try run(arguments, input: input)
    #expect(outcome == expected, sourceLocation: sourceLocation)
  }

  package static func expect(
    _ arguments: ByteString..., input: Command.Input = .nothing, gives expected: Outcome,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try expect(arguments, input: input, gives: expected, sourceLocation: sourceLocation)
  }

  /// Runs a line of sh(1) in which `$m` is the program, and `$1` and so on are `arguments`.
  package static func shell(
    _ script: ByteString, _ arguments: ByteString..., in directory: String = Fixture.directory
  ) throws
    -> Outcome
  {
    var command = Command(["sh", "-c", "m=$0; " + script, path] + arguments)
    command.directory = directory
    return try command.run()
  }
}
