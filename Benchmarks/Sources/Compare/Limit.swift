import ArgumentParser
import CLimit

/// The least that reading an archive can take; see CLimit.h.
enum Limit: String, CaseIterable, ExpressibleByArgument {
  case decoded, parsed, fastest

  /// - Throws: ``NoLimit`` where the format has no such way, or something is wrong.
  func run(_ path: String) throws {
    let way =
      switch self {
      case .decoded: LIMIT_DECODED
      case .parsed: LIMIT_PARSED
      case .fastest: LIMIT_FASTEST
      }
    let count = unsafe limit_run(path, way)
    guard count >= 0 else {
      throw NoLimit(
        description: count == Int64(LIMIT_NONE) ? "not for this format" : "it could not be decoded")
    }
  }
}

struct NoLimit: Error, CustomStringConvertible {
  let description: String
}

struct LimitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limit", abstract: "Decode an archive once and drop it, to be timed as a whole process.")

  @Argument(help: "The archive.")
  var archive: String

  @Option(name: .long, help: "What decodes: \(Limit.allCases.map(\.rawValue).joined(separator: ", ")).")
  var way = Limit.decoded

  func run() throws { try way.run(archive) }
}
