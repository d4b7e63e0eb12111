/// A zip or 7z from a pipe or out of a compression, kept whole in memory first: only the end of a zip says what is a
/// symlink, what was deleted and where the entries are.
enum Spool {
  /// Reads all of `source` into a sealed file in memory, within the limits.
  static func seekable(_ source: any ByteSource, ledger: Ledger) throws(ArchiveError) -> MemorySource {
    let name = "the archive itself"
    return MemorySource(MemFile(try memory(source, name: name, ledger: ledger), name: name, entry: nil))
  }

  /// Reads all of `source` into a sealed file in memory.
  static func memory(
    _ source: any ByteSource, name: String, ledger: Ledger
  ) throws(ArchiveError) -> FileMemory {
    let store = Store(ExtractionOptions(storage: .dedicated), ledger: ledger)
    var region = try Region.create(store, name: name, declaredSize: nil)
    var size: Int64 = 0
    var buffer = [UInt8](repeating: 0, count: 256 << 10)
    while true {
      let count = try source.read(into: &buffer)
      guard count > 0 else { break }
      try unsafe region.write(buffer.span.bytes.extracting(0..<count), at: size)
      size += Int64(count)
    }
    return try region.seal(size: size)
  }
}
