import MemArchive

/// Files that both readers return under one name have the same bytes: both have verified the checksum. What comes out while a zip
/// arrives is what a file gives, or an error.
enum ZipComparison {
  static func run(_ input: [UInt8]) {
    compareArriving(input)
    let found = files(input, by: .own)
    let packed = files(input, by: .own, storage: .packed, parallelism: 2)
    guard (found == nil) == (packed == nil) else {
      report("one thread finds an archive, and two do not agree")
    }
    guard let ours = found, let packed else { return }
    guard packed.names == ours.names else { report("two threads find other names") }
    for (name, file) in packed {
      guard file.content == ours[name]?.content else {
        report("\"\(name)\" differs when packed by two threads")
      }
    }
    guard let theirs = files(input, by: .libarchive) else { return }
    // If headers contradict each other, `ZipReader` has left the archive to libarchive.
    for (name, file) in ours {
      guard let other = theirs[name], other.entry?.size == file.entry?.size else { continue }
      guard file.content == other.content else { report("\"\(name)\" differs") }
    }
  }

  private static func compareArriving(_ input: [UInt8]) {
    var options = ExtractionOptions.fuzzing
    options.formats = .zip
    options.onError = .stop
    let whole = options
    options.arrivingZips = .byLocalHeaders
    let chunks = AsyncStream<[UInt8]> { continuation in
      continuation.yield(input)
      continuation.finish()
    }
    guard let arrived = try? ArchiveReader(chunks: chunks).extract(options: options) else { return }
    guard let files = try? ArchiveReader(bytes: input).extract(options: whole), files.names == arrived.names
    else {
      report("what arrives has other names")
    }
    for (name, file) in arrived {
      guard file.content == files[name]?.content else { report("\"\(name)\" differs when it arrives") }
    }
  }

  private static func files(
    _ input: [UInt8], by engine: ExtractionContext.Hooks.Engine,
    storage: ExtractionOptions.Storage = .automatic,
    parallelism: Int = 1
  ) -> MemFiles? {
    var options = ExtractionOptions.fuzzing
    options.formats = .zip
    options.onError = .keepGoing
    options.storage = storage
    options.parallelism = parallelism
    return try? ArchiveReader(bytes: input).extract(
      in: ExtractionContext(options, hooks: .init(engine: engine)))
  }
}
