import MemArchive

/// One way to turn an archive's entries into open files, or the least that reading it takes.
enum Way: Hashable {
  /// `ArchiveReader.extract()`: all files at once, by name.
  case extract(ExtractionOptions.Storage)
  /// `ArchiveStream`: one file after another.
  case stream(Maker, Lifetime)
  /// Decoders alone, or what else `Limit` has.
  case limit(Limit)

  /// Who makes the files of a stream.
  enum Maker: Hashable {
    case memArchive(ExtractionOptions.Storage)
    /// The literal way: ftruncate(2), mmap(2), copy, seal.
    case mapped
    case temporaryFile(TemporaryFile.Kind)
  }

  /// How long a file stays open.
  enum Lifetime: String, Hashable, CaseIterable {
    case kept, closed
  }

  private static let makers: [Maker] = [
    .memArchive(.dedicated), .memArchive(.packed), .mapped,
    .temporaryFile(.named), .temporaryFile(.unnamed(directory: "/tmp")),
    .temporaryFile(.unnamed(directory: "/dev/shm")),
  ]

  static let all: [Way] =
    ExtractionOptions.Storage.allCases.map(Way.extract)
    + Lifetime.allCases.flatMap { lifetime in makers.map { .stream($0, lifetime) } }
    + Limit.allCases.map(Way.limit)

  func time(_ input: Input) throws -> Times {
    switch self {
    case .extract(let storage):
      return try Times {
        try ArchiveReader(path: input.path).extract(options: .init { $0.storage = storage })
      }
    case .stream(let maker, let lifetime):
      return try Times {
        var kept: [any FilledFile] = []
        try maker.forEachFile(of: input) { if lifetime == .kept { kept.append($0) } }
        return kept
      }
    case .limit(let limit):
      return try Times { try limit.run(input.path) }
    }
  }

  /// Checks every byte of every file that the way makes.
  func verify(_ input: Input) throws {
    let found: [Fingerprint]
    switch self {
    case .extract(let storage):
      let files = try ArchiveReader(path: input.path).extract(options: .init { $0.storage = storage })
      found = try input.files.compactMap { name, _ in
        try files[name].map { try $0.withBytes { Fingerprint(of: $0) } }
      }
    case .stream(let maker, let lifetime):
      // Those that are kept are read when all are there: a file must not change through a later one.
      var kept: [any FilledFile] = []
      var closed: [Fingerprint] = []
      try maker.forEachFile(of: input) { file in
        if lifetime == .kept { kept.append(file) } else { closed.append(try file.fingerprint()) }
      }
      found = try closed + kept.map { try $0.fingerprint() }
    case .limit(let limit):
      _ = try limit.run(input.path)
      return
    }
    guard found == input.files.map(\.content) else { throw WrongContent() }
  }
}

extension Way.Maker {
  fileprivate func forEachFile(of input: Input, _ body: (any FilledFile) throws -> Void) throws {
    var options = ExtractionOptions()
    switch self {
    case .memArchive(let storage): options.storage = storage
    case .mapped:
      options.storage = .dedicated
      options.fill = .mapped
    case .temporaryFile: break
    }
    var stream = try ArchiveReader(path: input.path).stream(options: options)
    while let entry = try stream.next() {
      guard entry.hasContent else { continue }
      if case .temporaryFile(let kind) = self {
        let file = try TemporaryFile(kind)
        try file.fill(from: &stream)
        try body(file)
      } else {
        try body(stream.extract())
      }
    }
  }
}

extension Way: CustomStringConvertible {
  var description: String {
    switch self {
    case .extract(let storage): "extract \(storage)"
    case .stream(let maker, let lifetime): "stream \(maker) \(lifetime)"
    case .limit(let limit): "limit \(limit)"
    }
  }
}

extension Way.Maker: CustomStringConvertible {
  var description: String {
    switch self {
    case .memArchive(let storage): "\(storage)"
    case .mapped: "mapped"
    case .temporaryFile(.named): "mkstemp /tmp"
    case .temporaryFile(.unnamed(let directory)): "O_TMPFILE \(directory)"
    }
  }
}

/// A way that is fast because it is wrong.
struct WrongContent: Error, CustomStringConvertible {
  var description: String { "its files differ from the archive's content" }
}
