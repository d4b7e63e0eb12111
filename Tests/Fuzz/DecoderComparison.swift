import MemArchive

/// A decoder may refuse content that libarchive's filter accepts, but never returns different bytes.
enum DecoderComparison {
  private struct Result {
    var bytes: [UInt8] = []
    var error: ArchiveError?
  }

  static func run(_ input: [UInt8]) {
    let ours = decode(input, by: .own)
    let theirs = decode(input, by: .libarchive)
    // If both stop at an error, one may have returned more of the content before it.
    let count = min(ours.bytes.count, theirs.bytes.count)
    guard ours.bytes[..<count] == theirs.bytes[..<count] else {
      report("the bytes differ within the first \(count)")
    }
    guard ours.error == nil, theirs.error == nil else { return }
    // After zeros, libarchive considers another gzip member garbage, as gzip(1) does; Python reads it, and so does this library.
    let goesOnBehindZeros = input.starts(with: [0x1F, 0x8B]) && ours.bytes.count > theirs.bytes.count
    guard ours.bytes.count == theirs.bytes.count || goesOnBehindZeros else {
      report("\(ours.bytes.count) bytes, and by libarchive \(theirs.bytes.count)")
    }
  }

  private static func decode(_ input: [UInt8], by engine: ExtractionContext.Hooks.Engine) -> Result {
    var options = ExtractionOptions.fuzzing
    options.formats = .loneFile
    options.limits.depth = 1
    var result = Result()
    do throws(ArchiveError) {
      var stream = try ArchiveReader(bytes: input).stream(
        in: ExtractionContext(options, hooks: .init(decoding: engine)))
      while let entry = try stream.next() {
        guard entry.hasContent else { continue }
        _ = try stream.forEachBlock { (block, _) throws(ArchiveError) in
          unsafe block.withUnsafeBytes { unsafe result.bytes.append(contentsOf: $0) }
        }
      }
    } catch {
      result.error = error
    }
    return result
  }
}
