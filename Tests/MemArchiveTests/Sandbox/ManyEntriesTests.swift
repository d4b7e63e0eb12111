// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CZlib
import TestSupport
import Testing

@testable import MemArchive

/// Zips of many small entries, whose worker has few descriptors.
@Suite(.slow) struct ManyEntriesTests {
  /// Counts what comes, and keeps nothing.
  private struct Counter: EntryVisitor {
    var files = 0
    var prefetch: Prefetch { .contents() }
    func wants(_ entry: ArchiveEntry) -> Bool { entry.hasContent }
    mutating func add(_ file: MemFile?, for _: ArchiveEntry, position _: Int) { files += 1 }
    func note(_: ArchiveError) {}
    func end(warnings _: [ArchiveWarning], failedPosition _: Int?) {}
  }

  /// A deflated block with a code of its own (RFC 1951, 3.2.7), which takes as long to read as thousands of bytes, and the
  /// empty one that has the next begin at a byte (3.2.4).
  private static func block(of text: Bytes) -> Bytes {
    var stream = z_stream()
    // -15: without header and trailer.
    deflateInit2_(
      &stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
    defer { deflateEnd(&stream) }
    var (input, output) = (text, Bytes(repeating: 0, count: 2 * text.count + 64))
    let size = output.count
    return input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
        (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(size))
        deflate(&stream, Z_FULL_FLUSH)
        return Bytes(output[..<(size - Int(stream.avail_out))])
      }
    }
  }

  /// One entry that takes a thread seconds, and in the meantime the others are extracted.
  private static let archive: Bytes = {
    var random: UInt32 = 1
    let text = (0..<220).map { _ -> UInt8 in
      random = random &* 1_664_525 &+ 1_013_904_223
      return UInt8(ascii: "a") + UInt8(random >> 24) % 8 * (UInt8(random >> 16 & 255) % 4)
    }
    let (chunk, count) = (block(of: text), 200_000)
    var (packed, content) = (Bytes(), Bytes())
    for _ in 0..<count { packed += chunk }
    for _ in 0..<count { content += text }
    let slow = Zip.Entry(
      "slow", packed + [3, 0], crc: Gzip.checksum(content), size: UInt32(content.count), method: 8)
    return Zip.archive([slow] + (0..<40_000).map { .init("\($0)", []) })
  }()

  @Test(arguments: [ExtractionOptions.Storage.automatic, .dedicated])
  func `Entries that wait for a slow one have enough descriptors`(_ storage: ExtractionOptions.Storage) throws
  {
    var visitor = Counter()
    let options = ExtractionOptions {
      $0.storage = storage
      $0.parallelism = 2
      $0.sandbox = .required
    }
    try ArchiveReader(bytes: Self.archive).visit(&visitor, in: ExtractionContext(options))
    #expect(visitor.files == 40_001)
  }
}
#endif
