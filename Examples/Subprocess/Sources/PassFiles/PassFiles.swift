import MemArchive
import Subprocess

/// Files of an archive for children that swift-subprocess starts: it closes all descriptors but the standard streams in
/// them, so that a file is either the standard input, or is opened here, through this process.
@main
struct PassFiles {
  struct Failure: Error {
    let reason: String
  }

  static func main() async throws {
    let archive = CommandLine.arguments.dropFirst().first ?? "Fixtures/demo/demo.zip"
    let files = try await ArchiveReader(path: .init(archive)).extract()
    guard let script = files["scripts/hello.py"] else {
      throw Failure(reason: "there is no scripts/hello.py")
    }

    // Any number of files, by path: each must be held until the child has ended.
    let counted = try await run(
      .name("wc"), arguments: ["-c", script.externalPath], output: .string(limit: 1000))
    try withExtendedLifetime(files) {
      guard counted.standardOutput.hasPrefix("\(script.size) /proc/") else {
        throw Failure(reason: "wc answered \(counted.standardOutput)")
      }
    }

    // One file, as standard input: the child has a descriptor of its own, with an offset of its own.
    let copied = try await run(
      .name("cat"), input: .fileDescriptor(script.reopen(), closeAfterSpawningProcess: true),
      output: .string(limit: 1000))
    guard copied.standardOutput.utf8.count == script.size else {
      throw Failure(reason: "cat answered \(copied.standardOutput)")
    }
    print("Two children have read \(script.name), \(script.size) bytes each.")
  }
}
