#if FastDecoders
/// Decodes BCJ2 (Bcj2.c of the LZMA SDK): x86 code whose branch targets lie in streams of their own.
///
/// The first stream is the code without them, the second has the targets of calls, and the third those of jumps, absolute and
/// with the highest byte first. The fourth says by a range coder which instructions had theirs taken out.
final class BCJ2Decoder: ByteSource {
  private var code: InputBuffer
  private var calls: InputBuffer
  private var jumps: InputBuffer
  private var choices: InputBuffer
  private let size: Int64
  private var position: Int64 = 0
  private var previous: UInt8 = 0
  /// A target's bytes yet to be returned, the lowest first, and their number.
  private var target: (bytes: UInt32, count: Int) = (0, 0)
  private var failure: ArchiveError?

  /// The range coder's state; range 0 before its beginning.
  private var range: UInt32 = 0
  private var value: UInt32 = 0
  /// Of calls, by the byte before; of short jumps; of conditional ones. In 2048ths, that the target was left where it is.
  private var probabilities = [UInt16](repeating: 1024, count: 258)

  /// - Parameter size: The number of bytes that come out.
  init(_ sources: [any ByteSource], size: Int64) {
    (code, calls) = (InputBuffer(sources[0]), InputBuffer(sources[1]))
    (jumps, choices) = (InputBuffer(sources[2]), InputBuffer(sources[3]))
    self.size = size
  }

  var progress: SourceProgress { code.progress }

  /// Returns content that precedes a failure first.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if let failure { throw failure }
    var count = 0
    do throws(ArchiveError) {
      let free = Int(min(Int64(buffer.byteCount), size - position))
      if range == 0 { try begin() }
      while count < free {
        if target.count > 0 {
          previous = UInt8(truncatingIfNeeded: target.bytes)
          buffer.storeBytes(of: previous, toByteOffset: count, as: UInt8.self)
          target = (target.bytes >> 8, target.count - 1)
          (count, position) = (count + 1, position + 1)
        } else if let (before, branch) = try copyCode(into: &buffer, &count, upTo: free), position < size {
          try readTarget(branch, after: before)
        }
      }
      guard count == 0 else { return count }
      try normalize()
      guard value == 0, try !code.has(1), try !calls.has(1), try !jumps.has(1), try !choices.has(1) else {
        throw .corrupt("BCJ2 does not end where its code does")
      }
    } catch {
      failure = error
      if count == 0 { throw error }
    }
    return count
  }

  /// Copies code up to the first byte, and with it, that a target may follow; returns that byte and the one before.
  private func copyCode(
    into buffer: inout MutableRawSpan, _ count: inout Int, upTo free: Int
  ) throws(ArchiveError) -> (UInt8, UInt8)? {
    guard try code.has(1) else { throw .corrupt("the code that BCJ2 filters ends too early") }
    let start = count
    var (before, found) = (previous, false)
    let used = unsafe buffer.withUnsafeMutableBytes { output in
      code.withBytes(min(code.count, free - start)) { bytes in
        unsafe bytes.withUnsafeBytes { bytes in
          var (index, last) = (0, before)
          while index < bytes.count {
            let byte = unsafe bytes[index]
            unsafe output[start + index] = byte
            index += 1
            if byte & 0xFE == 0xE8 || (last == 0x0F && byte & 0xF0 == 0x80) {
              (before, found) = (last, true)
              break
            }
            last = byte
          }
          return index
        }
      }
    }
    previous = code[used - 1]
    code.drop(used)
    count += used
    position += Int64(used)
    return found ? (before, previous) : nil
  }

  /// Prepares the target after a branch, unless it was left in the code.
  private func readTarget(_ branch: UInt8, after before: UInt8) throws(ArchiveError) {
    let context =
      switch branch {
      case 0xE8: Int(before)
      case 0xE9: 256
      default: 257
      }
    guard try nextChoice(context) else { return }
    let absolute: UInt32
    if branch == 0xE8 { absolute = try Self.target(&calls) } else { absolute = try Self.target(&jumps) }
    target = (absolute &- UInt32(truncatingIfNeeded: position + 4), 4)
  }

  private static func target(_ stream: inout InputBuffer) throws(ArchiveError) -> UInt32 {
    guard try stream.has(4) else { throw .corrupt("the targets that BCJ2 filters end too early") }
    defer { stream.drop(4) }
    return stream.little(UInt32.self).byteSwapped
  }

  // MARK: Range coder

  private func begin() throws(ArchiveError) {
    guard try choices.has(5), choices[0] == 0 else { throw .corrupt("BCJ2's range coder is damaged") }
    choices.drop(1)
    value = choices.little(UInt32.self).byteSwapped
    choices.drop(4)
    range = .max
  }

  private func normalize() throws(ArchiveError) {
    guard range < 1 << 24 else { return }
    guard try choices.has(1) else { throw .corrupt("BCJ2's range coder ends too early") }
    (range, value) = (range << 8, value << 8 | UInt32(choices[0]))
    choices.drop(1)
  }

  /// The next bit; 11 bits of a probability count, and a 32nd of the rest is learned from each.
  private func nextChoice(_ context: Int) throws(ArchiveError) -> Bool {
    try normalize()
    let probability = probabilities[context]
    let bound = (range >> 11) * UInt32(probability)
    if value < bound {
      range = bound
      probabilities[context] = probability + (2048 - probability) >> 5
      return false
    }
    (range, value) = (range - bound, value - bound)
    probabilities[context] = probability - probability >> 5
    return true
  }
}
#endif
