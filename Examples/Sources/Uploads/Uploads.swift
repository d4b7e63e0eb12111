import Foundation
import MemArchive
import MemArchiveFoundation

/// Reads archives from strangers, four at a time: `Uploads a.zip b.tar…`. For a server, see Examples/Server.
@main
struct Uploads {
  static func main() async throws {
    var waiting = Array(CommandLine.arguments.dropFirst().enumerated())[...]
    var answers = [String](repeating: "", count: waiting.count)
    await withTaskGroup(of: (Int, String).self) { group in
      for _ in 0..<4 {
        if let (index, path) = waiting.popFirst() { group.addTask { (index, await answer(path)) } }
      }
      for await (index, answer) in group {
        answers[index] = answer
        if let (index, path) = waiting.popFirst() { group.addTask { (index, await Self.answer(path)) } }
      }
    }
    for answer in answers { print(answer) }
  }

  private static func answer(_ path: String) async -> String {
    let name = URL(filePath: path).lastPathComponent
    do {
      let upload = try Data(contentsOf: URL(filePath: path))
      let options = ExtractionOptions(limits: .strict, sandbox: .required, timeout: .seconds(60))
      let files = try await ArchiveReader(data: upload).extract(options: options)
      return "\(name): \(files.count) files, \(files.values.map(\.size).reduce(0, +)) bytes"
    } catch let error as ArchiveError {
      return "\(name): refused, \(error.code)"
    } catch {
      return "\(name): \(error.localizedDescription)"
    }
  }
}
