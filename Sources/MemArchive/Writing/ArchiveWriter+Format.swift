/// One archive that is being written, entry by entry.
protocol FormatWriter {
  /// - Parameter link: The earlier entry that this is another name of.
  mutating func add(_ item: ArchiveItem, linkedTo link: ArchiveItem?) throws(ArchiveError)
  /// Writes what ends the archive.
  mutating func finish() throws(ArchiveError)
}

extension ArchiveWriter {
  /// Writes all entries, sorted by the bytes of their names.
  func write(
    _ content: some Archivable, to target: any ArchiveTarget, _ cancellation: Cancellation
  ) throws(ArchiveError) {
    // Items refer to what it holds open.
    defer { withExtendedLifetime(content) {} }
    do throws(ArchiveError) {
      let items = try content.items(cancellation).sorted {
        $0.path.bytes.lexicographicallyPrecedes($1.path.bytes)
      }
      switch format.kind {
      case .zip:
        let output = ArchiveOutput(to: target)
        try add(items, by: try ZipWriter(output, options, cancellation))
        try output.flush()
      case .tar(.none):
        guard options.level == nil else {
          throw ArchiveError(
            .unsupportedFeature, "a plain tar has no level of compression",
            advice: "Choose a compression, or no level.")
        }
        let output = ArchiveOutput(to: target)
        try add(items, by: TarWriter(output, options, cancellation))
        try output.flush()
      case .tar(let compression):
        let compressed = try CompressedTarget(compression, level: options.level, to: target)
        let output = ArchiveOutput(to: compressed)
        try add(items, by: TarWriter(output, options, cancellation))
        try output.flush()
        try compressed.finish()
      }
    } catch {
      throw error.code == .cancelled ? .writingCancelled : error
    }
  }

  private func add(_ items: [ArchiveItem], by writer: consuming some FormatWriter) throws(ArchiveError) {
    var writer = writer
    var first: [ArchiveItem.Identity: ArchiveItem] = [:]
    for item in items {
      let link = item.identity.flatMap { first[$0] }
      if link == nil, let identity = item.identity { first[identity] = item }
      try writer.add(item, linkedTo: link)
    }
    try writer.finish()
  }
}

extension ArchiveWriter.Options {
  func modified(_ entry: ArchiveEntry) -> ArchiveEntry.Time {
    let time =
      switch modified {
      case .kept: entry.modified ?? ArchiveEntry.Time(seconds: 0)
      case .fixed(let time): time
      }
    // What an archive claims need not be nanoseconds.
    return ArchiveEntry.Time(seconds: time.seconds, nanoseconds: max(0, min(999_999_999, time.nanoseconds)))
  }
}

extension ArchiveItem {
  /// The permissions; where the entry has none, those of a file that all may read.
  var mode: UInt16 {
    if let mode = entry.mode { return mode & 0o7777 }
    return switch entry.kind {
    case .directory: 0o755
    case .symlink: 0o777
    default: 0o644
    }
  }
}

extension ArchiveError {
  fileprivate static var writingCancelled: Self {
    Self(
      .cancelled, "the archive was cancelled while it was written",
      advice: "Start it again if it is still wanted.")
  }
}
