/// Decodes the output of compress(1), `.Z`: LZW with codes of 9 to 16 bits, with and without the code that clears the table
/// ("block mode"). There is no checksum and no end mark.
///
/// libarchive (to 3.8.9) reads no stream without block mode whose codes grow beyond 9 bits.
final class CompressDecoder: ByteSource {
  private var input: InputBuffer
  private var isOpen = false
  /// The widest code, in bits.
  private var widest = 16
  private var hasClearCode = false
  /// Width of the next code, in bits.
  private var width = 9
  /// Bits of the input that were taken out and not used yet, the first ones lowest.
  private var bits: UInt32 = 0
  private var bitCount = 0
  /// Codes of the present width so far: the encoder fills groups of eight, and leaves the rest of a group when the width
  /// changes.
  private var codesInGroup = 0
  /// What a code stands for: another code's string, and one byte more.
  private var prefixes = [UInt16](repeating: 0, count: 1 << 16)
  private var suffixes = [UInt8](repeating: 0, count: 1 << 16)
  /// The next code that is given a meaning.
  private var next = 0
  /// The code before, and the first byte of its string; nil at the beginning and after a clear code.
  private var previous: (code: Int, first: UInt8)?
  /// The latest string in reverse, as far as it was not read.
  private var unread: [UInt8] = []
  private var isAtEnd = false

  private static let clearCode = 256
  private static let firstWidth = 9

  init(_ upstream: any ByteSource) { input = InputBuffer(upstream) }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if !isOpen { try readHeader() }
    var count = 0
    while count < buffer.byteCount {
      while count < buffer.byteCount, let byte = unread.popLast() {
        buffer.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
      }
      guard count < buffer.byteCount else { break }
      // What came before an error is given first.
      guard count == 0 || input.count > 0 else { break }
      guard try decodeNext() else { break }
    }
    return count
  }

  private func readHeader() throws(ArchiveError) {
    guard try input.has(3) else { throw .truncated("the .Z stream ends inside its header") }
    let flags = input[2]
    input.drop(3)
    // Bits 0x60 have no meaning yet.
    guard flags & 0x60 == 0, (9...16).contains(flags & 0x1F) else {
      throw .corrupt("the .Z stream has flags \(flags), which no compress(1) writes")
    }
    // With 9, compress(1) goes on to 10.
    widest = max(10, Int(flags & 0x1F))
    hasClearCode = flags & 0x80 != 0
    next = hasClearCode ? 257 : 256
    isOpen = true
  }

  /// Decodes one code to `unread`; false at the end.
  private func decodeNext() throws(ArchiveError) -> Bool {
    guard !isAtEnd, let code = try nextCode() else {
      isAtEnd = true
      return false
    }
    if hasClearCode, code == Self.clearCode {
      try startGroup(width: Self.firstWidth)
      (next, previous) = (257, nil)
      return true
    }
    guard let previous else {
      guard code < 256 else { throw damaged() }
      unread.append(UInt8(code))
      self.previous = (code, UInt8(code))
      return true
    }
    guard code < next || (code == next && next < 1 << widest) else { throw damaged() }
    var rest = code
    if code == next {
      // The string before, and its own first byte.
      unread.append(previous.first)
      rest = previous.code
    }
    while rest >= 256 {
      unread.append(suffixes[rest])
      rest = Int(prefixes[rest])
    }
    let first = UInt8(rest)
    unread.append(first)
    if next < 1 << widest {
      (prefixes[next], suffixes[next]) = (UInt16(previous.code), first)
      next += 1
      if next == 1 << width, width < widest { try startGroup(width: width + 1) }
    }
    self.previous = (code, first)
    return true
  }

  private func nextCode() throws(ArchiveError) -> Int? {
    while bitCount < width {
      guard try input.has(1) else {
        // A code that begins has its bits; the last byte is filled up with zeros.
        guard bitCount < 8, bits == 0 else { throw .truncated("the .Z stream ends inside a code") }
        return nil
      }
      bits |= UInt32(input[0]) << UInt32(bitCount)
      input.drop(1)
      bitCount += 8
    }
    let code = Int(bits & (1 << UInt32(width) - 1))
    bits >>= UInt32(width)
    bitCount -= width
    codesInGroup = (codesInGroup + 1) % 8
    return code
  }

  /// Passes over what is left of a group of eight codes.
  private func startGroup(width newWidth: Int) throws(ArchiveError) {
    if codesInGroup > 0 {
      var rest = (8 - codesInGroup) * width - bitCount
      // The end may come instead.
      while rest > 0, try input.has(1) {
        input.drop(1)
        rest -= 8
      }
    }
    (bits, bitCount, codesInGroup, width) = (0, 0, 0, newWidth)
  }

  private func damaged() -> ArchiveError { .corrupt("the .Z stream is damaged: a code has no meaning yet") }
}
