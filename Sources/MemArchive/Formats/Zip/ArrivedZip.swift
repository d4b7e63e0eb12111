/// What is left of a zip when it has arrived, as if it were whole: the local headers of the entries that have come out, and all
/// that follows them. Content that has come out reads as zeros.
final class ArrivedZip: SeekableSource {
  private let headers: ArrivedHeaders
  private let rest: any SeekableSource
  /// Where the rest begins.
  private let start: Int64
  let size: Int64
  var position: Int64 = 0

  /// - Parameter rest: What follows the last of the headers.
  init(_ headers: ArrivedHeaders, followedBy rest: any SeekableSource) {
    (self.headers, self.rest, start) = (headers, rest, headers.end)
    size = start + rest.size
  }

  var progress: SourceProgress { rest.progress }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard offset < start else { return try rest.read(at: offset - start, into: &buffer) }
    var front = buffer._mutatingExtracting(0..<Int(min(Int64(buffer.byteCount), start - offset)))
    return headers.read(at: offset, into: &front)
  }
}

/// Local headers, each with its offset in the zip.
struct ArrivedHeaders {
  private var bytes: [UInt8] = []
  private var places: [(offset: Int64, index: Int)] = []

  /// Bytes of memory for a header besides its own.
  static let cost: Int64 = 192

  /// Where the last one ends.
  var end: Int64 { places.last.map { $0.offset + Int64(bytes.count - $0.index) } ?? 0 }

  /// Adds one that follows all others.
  mutating func append(_ header: [UInt8], at offset: Int64) {
    places.append((offset, bytes.count))
    bytes += header
  }

  /// The header at an offset, or what is left of it there; empty between two.
  private func header(at offset: Int64) -> (bytes: ArraySlice<UInt8>, next: Int64?) {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle].offset <= offset { low = middle + 1 } else { high = middle }
    }
    let next = low < places.count ? places[low] : nil
    guard low > 0 else { return ([], next?.offset) }
    let place = places[low - 1]
    let passed = Int(min(offset - place.offset, Int64(bytes.count)))
    let end = next?.index ?? bytes.count
    return (bytes[min(place.index + passed, end)..<end], next?.offset)
  }

  /// The header at an offset.
  func record(at offset: Int64) -> ZipRecord? { ZipRecord(local: Array(header(at: offset).bytes), at: 0) }

  /// Fills the front of the buffer with a header, or with zeros up to one, and returns the number of bytes.
  func read(at offset: Int64, into buffer: inout MutableRawSpan) -> Int {
    let (header, next) = header(at: offset)
    let bytes = header.prefix(buffer.byteCount)
    if !bytes.isEmpty {
      unsafe buffer.copy(bytes.span.bytes)
      return bytes.count
    }
    let count = Int(min(Int64(buffer.byteCount), (next ?? .max) - offset))
    unsafe buffer.withUnsafeMutableBytes { buffer in
      unsafe _ = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        .initializeMemory(as: UInt8.self, repeating: 0)
    }
    return count
  }
}
