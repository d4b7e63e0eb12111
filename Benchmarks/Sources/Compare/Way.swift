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

  static let makers: [Maker] =
    ExtractionOptions.Fill.allCases.map { .memArchive($0) } + [
      .temporaryFile(.named), .temporaryFile(.unnamed(directory: "/tmp")),
      .temporaryFile(.unnamed(directory: "/dev/shm")),
    ]

  static let all: [Way] =
    Lifetime.allCases.flatMap { lifetime in makers.map { Way(maker: $0, lifetime: lifetime) } }
    + [Way(maker: .nobody, lifetime: .closed)]

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
