/// A complete code of which no word is the beginning of another, as Huffman's.
struct PrefixCode {
  /// The length of the longest word.
  private(set) var bits = 0
  /// For each value of so many bits, the symbol and the length of its word.
  private var words: [UInt16] = []

  /// A code of one symbol, whose word is empty.
  init(constant symbol: Int) { words = [UInt16(symbol) << 5] }

  /// The canonical code with words of these lengths, at most 16, 0 for none; nil if it is not complete.
  init?(_ lengths: [UInt8]) {
    bits = Int(lengths.max() ?? 0)
    guard (1...16).contains(bits),
      lengths.reduce(0, { $0 + ($1 > 0 ? 1 << (bits - Int($1)) : 0) }) == 1 << bits
    else { return nil }
    words.reserveCapacity(1 << bits)
    for length in 1...bits {
      for (symbol, itsLength) in lengths.enumerated() where itsLength == length {
        let word = UInt16(symbol) << 5 | UInt16(length)
        words.append(contentsOf: repeatElement(word, count: 1 << (bits - length)))
      }
    }
  }

  /// The symbol whose word these bits begin with, and the word's length.
  subscript(next: Int) -> (symbol: Int, length: Int) {
    (Int(words[next] >> 5), Int(words[next] & 31))
  }
}
