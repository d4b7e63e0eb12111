/// Decodes the LZX of cabinets, a frame of at most 32 KiB at a time (Microsoft Cabinet Format, "LZX"; libmspack, "lzxd.c").
final class LZXDecoder {
  private var window: [UInt8]
  /// Bytes written to the window in all.
  private var position = 0
  private var recent = (1, 1, 1)
  /// The size that calls are relative to; 0 if they are not translated.
  private var callSize: Int32?
  private var hasCalls = false
  private var frames = 0

  private var block = Block.none
  private var blockLeft = 0
  /// Whether a block of odd size is followed by a byte.
  private var isPadded = false
  private var (mainLengths, lengthLengths): ([UInt8], [UInt8])
  private var mainCode = PrefixCode(constant: 0)
  private var (lengthCode, alignedCode): (PrefixCode?, PrefixCode?)

  private var frame: [UInt8] = []
  private var next = 0
  /// The next bits are the lowest `count` ones.
  private var (bits, count): (UInt64, Int) = (0, 0)

  private enum Block { case none, verbatim, aligned, stored }
  static let windowBits = 15...21
  private static let (literals, lengths) = (256, 249)
  private static let slots = [30, 32, 34, 36, 38, 42, 50]

  init(windowBits: Int) {
    window = [UInt8](repeating: 0, count: 1 << windowBits)
    mainLengths = [UInt8](
      repeating: 0, count: Self.literals + Self.slots[windowBits - Self.windowBits.lowerBound] * 8)
    lengthLengths = [UInt8](repeating: 0, count: Self.lengths)
  }

  /// The `size` bytes that a frame holds.
  func decode(_ frame: [UInt8], size: Int) throws(ArchiveError) -> [UInt8] {
    if next < self.frame.count { isPadded = false }
    (self.frame, next, bits, count) = (frame, 0, 0, 0)
    if callSize == nil {
      callSize = 0
      if try take(1) == 1 { callSize = Int32(truncatingIfNeeded: try take(16) << 16 | take(16)) }
    }
    let (start, end) = (position, position + size)
    while position < end {
      if blockLeft == 0 { try readBlock() }
      let stop = min(end, position + blockLeft)
      blockLeft -= stop - position
      if block == .stored {
        guard stop - position <= frame.count - next else { throw Self.damage("it ends too early") }
        while position < stop {
          put(frame[next])
          next += 1
        }
      } else {
        try decode(to: stop)
      }
    }
    let mask = window.count - 1
    var output = (start..<end).map { window[$0 & mask] }
    translateCalls(&output, at: start)
    frames += 1
    return output
  }

  private static func damage(_ text: String) -> ArchiveError {
    .corrupt("the compressed content is damaged: \(text)")
  }

  private func put(_ byte: UInt8) {
    window[position & (window.count - 1)] = byte
    position += 1
  }

  // MARK: Blocks

  private func readBlock() throws(ArchiveError) {
    if isPadded { next += 1 }
    isPadded = false
    let type = try take(3)
    blockLeft = try take(16) << 8 | take(8)
    guard blockLeft > 0 else { throw Self.damage("a block is empty") }
    switch type {
    case 1, 2:
      block = type == 1 ? .verbatim : .aligned
      if type == 2 {
        var lengths: [UInt8] = []
        for _ in 0..<8 { lengths.append(UInt8(try take(3))) }
        alignedCode = try Self.code(lengths)
      }
      try readLengths(&mainLengths, 0..<Self.literals)
      try readLengths(&mainLengths, Self.literals..<mainLengths.count)
      mainCode = try Self.code(mainLengths)
      if mainLengths[0xE8] > 0 { hasCalls = true }
      try readLengths(&lengthLengths, 0..<Self.lengths)
      lengthCode = lengthLengths.allSatisfy { $0 == 0 } ? nil : try Self.code(lengthLengths)
    case 3:
      (block, hasCalls, isPadded) = (.stored, true, !blockLeft.isMultiple(of: 2))
      // What is left of a word, or a whole one; what was read ahead is given back.
      _ = try take(count % 16 == 0 ? 16 : count % 16)
      next -= count / 16 * 2
      (bits, count) = (0, 0)
      guard frame.count - next >= 12 else { throw Self.damage("it ends too early") }
      let numbers = (0..<3).map { Int(frame.little(UInt32.self, at: next + 4 * $0)) }
      recent = (numbers[0], numbers[1], numbers[2])
      next += 12
    default: throw Self.damage("a block is of no type")
    }
  }

  private static func code(_ lengths: [UInt8]) throws(ArchiveError) -> PrefixCode {
    guard let code = PrefixCode(lengths) else { throw damage("the lengths of a code contradict each other") }
    return code
  }

  /// Lengths in a code of their own, as differences from those of the block before.
  private func readLengths(_ lengths: inout [UInt8], _ range: Range<Int>) throws(ArchiveError) {
    var own: [UInt8] = []
    for _ in 0..<20 { own.append(UInt8(try take(4))) }
    let code = try Self.code(own)
    var index = range.lowerBound
    while index < range.upperBound {
      var symbol = try decode(code)
      var run = 1
      switch symbol {
      case 17: run = try take(4) + 4
      case 18: run = try take(5) + 20
      case 19:
        run = try take(1) + 4
        symbol = try decode(code)
      default: break
      }
      let isZero = symbol == 17 || symbol == 18
      guard isZero || symbol <= 16, run <= range.upperBound - index else {
        throw Self.damage("the lengths of a code contradict each other")
      }
      let length = isZero ? 0 : UInt8((Int(lengths[index]) - symbol + 17) % 17)
      for _ in 0..<run {
        lengths[index] = length
        index += 1
      }
    }
  }

  // MARK: Literals and matches

  private func decode(to stop: Int) throws(ArchiveError) {
    while position < stop {
      let symbol = try decode(mainCode)
      guard symbol >= Self.literals else {
        put(UInt8(symbol))
        continue
      }
      let match = symbol - Self.literals
      var length = match & 7
      if length == 7 {
        guard let lengthCode else { throw Self.damage("a match has no length") }
        length += try decode(lengthCode)
      }
      length += 2
      let distance = try distance(slot: match >> 3)
      guard length <= stop - position else { throw Self.damage("a match is longer than its block") }
      guard distance > 0, distance <= min(position, window.count) else {
        throw Self.damage("a match begins before the content")
      }
      let mask = window.count - 1
      for _ in 0..<length { put(window[(position - distance) & mask]) }
    }
  }

  private func distance(slot: Int) throws(ArchiveError) -> Int {
    switch slot {
    case 0: return recent.0
    case 1: recent = (recent.1, recent.0, recent.2)
    case 2: recent = (recent.2, recent.1, recent.0)
    default:
      let extra = slot < 4 ? 0 : min(slot / 2 - 1, 17)
      let base = slot < 4 ? slot : slot < 36 ? (2 + slot & 1) << extra : (slot - 34) << 17
      var rest: Int
      if block == .aligned, extra >= 3, let alignedCode {
        rest = try take(extra - 3) << 3
        rest += try decode(alignedCode)
      } else {
        rest = try take(extra)
      }
      recent = (base + rest - 2, recent.0, recent.1)
    }
    return recent.0
  }

  // MARK: Calls

  /// Programs' calls (E8) were made absolute, which packs better.
  private func translateCalls(_ output: inout [UInt8], at start: Int) {
    guard hasCalls, let callSize, callSize != 0, frames < 32_768, output.count > 10 else { return }
    var index = 0
    while index < output.count - 10 {
      guard output[index] == 0xE8 else {
        index += 1
        continue
      }
      let current = Int32(truncatingIfNeeded: start + index)
      let absolute = Int32(bitPattern: output.little(UInt32.self, at: index + 1))
      if absolute >= 0 &- current, absolute < callSize {
        let relative = UInt32(bitPattern: absolute >= 0 ? absolute &- current : absolute &+ callSize)
        for byte in 0..<4 {
          output[index + 1 + byte] = UInt8(truncatingIfNeeded: relative >> UInt32(8 * byte))
        }
      }
      index += 5
    }
  }

  // MARK: Bits

  private func decode(_ code: borrowing PrefixCode) throws(ArchiveError) -> Int {
    let word = code[peek(code.bits)]
    _ = try take(word.length)
    return word.symbol
  }

  /// The next bits, at most 17, with zeros after the end: words of sixteen, the highest bit first.
  private func peek(_ number: Int) -> Int {
    while count < number {
      let word = next + 1 < frame.count ? frame.little(UInt16.self, at: next) : 0
      bits = bits << 16 | UInt64(word)
      next += 2
      count += 16
    }
    return Int(truncatingIfNeeded: bits >> UInt64(count - number)) & (1 << number - 1)
  }

  private func take(_ number: Int) throws(ArchiveError) -> Int {
    let value = peek(number)
    count -= number
    guard next - count / 8 <= frame.count + 1 else { throw Self.damage("it ends too early") }
    return value
  }
}
