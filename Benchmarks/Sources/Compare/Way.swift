import MemArchive

/// One way to turn an archive's entries into open files.
struct Way: Hashable {
  /// Who makes the files.
  enum Maker: Hashable {
    case memArchive(ExtractionOptions.Fill)
    case temporaryFile(TemporaryFile.Kind)
    /// Nobody: the blocks are read and dropped. What all ways have in common.
    case nobody
  }

  /// How long a file stays open.
  enum Lifetime: String, Hashable, CaseIterable {
    case kept = "kept open"
    case closed = "closed at once"
  }

  let maker: Maker
  let lifetime: Lifetime

  private static let rivals: [Maker] = [
    .temporaryFile(.named), .temporaryFile(.unnamed(directory: "/tmp")),
    .temporaryFile(.unnamed(directory: "/dev/shm")),
  ]

  /// The ways whose files live equally long, the baseline first.
  static func all(_ lifetime: Lifetime) -> [Way] {
    // How a region is filled doesn't depend on when it is closed, so the default stands for all three there.
    let fills: [ExtractionOptions.Fill] = lifetime == .kept ? [.automatic, .mapped, .written] : [.automatic]
    return (fills.map { .memArchive($0) } + rivals).map { Way(maker: $0, lifetime: lifetime) }
  }

  static let all: [Way] = Lifetime.allCases.flatMap { all($0) } + [readingAlone]

  /// What is left when no file is made: no way can take less.
  static let readingAlone = Way(maker: .nobody, lifetime: .kept)

  /// What the others are compared with: the default, with files that live as long.
  var baseline: Way { Way(maker: .memArchive(.automatic), lifetime: lifetime) }

  var options: ExtractionOptions {
    guard case .memArchive(let fill) = maker else { return ExtractionOptions() }
    return ExtractionOptions(fill: fill)
  }

  /// The file of the stream's entry at hand, filled; `nil` for `nobody`.
  func file(from stream: inout ArchiveStream) throws -> (any FilledFile)? {
    switch maker {
    case .memArchive:
      return try stream.extract()
    case .temporaryFile(let kind):
      let file = try TemporaryFile(kind)
      try file.fill(from: &stream)
      return file
    case .nobody:
      _ = try stream.forEachBlock { _, _ in }
      return nil
    }
  }
}

extension Way.Maker: CustomStringConvertible {
  var description: String {
    switch self {
    case .memArchive(let fill): "MemArchive .\(fill)"
    case .temporaryFile(.named): "mkstemp in /tmp"
    case .temporaryFile(.unnamed(let directory)): "O_TMPFILE in \(directory)"
    case .nobody: "reading alone"
    }
  }
}
