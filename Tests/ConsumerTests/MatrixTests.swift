import Foundation
import Glibc
import MemArchive
import TestSupport
import Testing

/// Real programs on real content, in each of the four ways. Failures are asserted too, so that the article stays true.
struct MatrixTests {
  static let consumers = Consumer.always + (Archives.withMore ? Consumer.more : [])

  @Test(arguments: consumers, Way.allCases)
  func `A program finds its file, or does not, as the article says`(consumer: Consumer, way: Way) throws {
    let outcome = try run(consumer, way)
    let works = outcome.output.text.contains(consumer.says.text)
    #expect(works == consumer.works.contains(way), "\(way): \(outcome)")
  }

  @Test(arguments: consumers)
  func `Each works in at least one way, and in none without its file`(consumer: Consumer) throws {
    #expect(!consumer.works.isEmpty)
    var command = Command(consumer.command.map { Template($0).filled { "/nonexistent/" + $0 } })
    command.directory = "/"
    #expect(try !command.run().output.text.contains(consumer.says.text))
  }

  @Test(arguments: Consumer.always + Consumer.more)
  func `The article has each row`(consumer: Consumer) throws {
    let article = try Repository.text(of: "Sources/MemArchive/MemArchive.docc/ConsumerMatrix.md")
    let cells = Way.allCases.map { consumer.works.contains($0) ? "yes" : "no" }.joined(separator: " | ")
    #expect(article.contains("\n| \(consumer.name) | \(cells) |"), "| \(consumer.name) | \(cells) |")
  }

  private func run(_ consumer: Consumer, _ way: Way) throws -> Outcome {
    let archive = try Archives.path(consumer.archive)
    switch way {
    case .bare:
      return try Program.run(["run", ByteString(archive.utf8), "--"] + consumer.command)
    case .mounted:
      return try Program.run(["run", "--tree", ByteString(archive.utf8), "--"] + consumer.command)
    case .named:
      let names = consumer.command.flatMap { Template($0).names }.filter { $0 != "." }
      let files = try ArchiveReader(path: archive).extract(
        .names(names), options: ExtractionOptions { $0.executable = true })
      return try withNamedPaths(names[...], files, [:]) { paths in
        try Command(consumer.command.map { Template($0).filled { paths[$0] ?? "" } }).run()
      }
    case .tree:
      let tree = try ArchiveReader(path: archive).tree()
      let top = try tree.externalPath
      return try withExtendedLifetime(tree) {
        try Command(consumer.command.map { Template($0).filled { top + "/" + $0 } }).run()
      }
    }
  }

  /// Calls `body` with a path of each file under its own name, as seen by other processes.
  private func withNamedPaths<Result>(
    _ names: ArraySlice<String>, _ files: MemFiles, _ paths: [String: String],
    _ body: ([String: String]) throws -> Result
  ) throws -> Result {
    guard let name = names.first else { return try body(paths) }
    let file = try #require(files[name])
    return try file.withPath(named: (name as NSString).lastPathComponent) { path in
      let external = path.replacing("/proc/self/", with: "/proc/\(getpid())/")
      return try withNamedPaths(names.dropFirst(), files, paths.merging([name: external]) { $1 }, body)
    }
  }
}

/// `{NAME}` in an argument, as in `memarchive run`.
private struct Template {
  private let text: String

  init(_ argument: ByteString) { text = argument.text }

  var names: [String] { text.replacing("{{", with: "").matches(of: #/{([^{}]+)}/#).map { String($0.1) } }

  func filled(with path: (String) -> String) -> ByteString {
    let brace = "\u{1}"
    let filled = text.replacing("{{", with: brace).replacing(#/{([^{}]+)}/#) { path(String($0.1)) }
    return ByteString(filled.replacing(brace, with: "{").utf8)
  }
}
