/// Streams of zstd, of stored blocks (RFC 8878).
package enum Zstd {
  /// One frame, which says how much it holds, or does not.
  package static func frame(_ content: Bytes, statesSize: Bool = true) -> Bytes {
    // Without a size, a window of 1 MiB.
    var bytes: Bytes = [0x28, 0xB5, 0x2F, 0xFD]
    bytes += statesSize ? [0xA0] + little(UInt32(content.count)) : [0, 0x50]
    var rest = content[...]
    repeat {
      let block = rest.prefix(65_536)
      rest = rest.dropFirst(block.count)
      bytes += little(UInt32(block.count << 3 | (rest.isEmpty ? 1 : 0))).prefix(3) + block
    } while !rest.isEmpty
    return bytes
  }

  /// Frames with a table of their sizes behind them (Zstandard Seekable Format).
  ///
  /// - Parameter change: What the table says instead.
  package static func seekable(
    _ contents: [Bytes], table change: (inout [XZ.Sizes]) -> Void = { _ in }
  ) -> Bytes {
    let frames = contents.map { frame($0, statesSize: false) }
    var sizes = zip(frames, contents).map { XZ.Sizes(packed: $0.count, content: $1.count) }
    change(&sizes)
    let records = sizes.reduce(into: Bytes()) {
      $0 += little(UInt32($1.packed)) + little(UInt32($1.content))
    }
    let footer = little(UInt32(sizes.count)) + [0] + little(UInt32(0x8F92_EAB1))
    return frames.reduce(into: Bytes()) { $0 += $1 } + little(UInt32(0x184D_2A5E))
      + little(UInt32(records.count + footer.count)) + records + footer
  }
}
