/// Decides where a stream is kept as it is, and where the content of its entries is copied out of it.
///
/// What is kept beside content, its headers and padding, the entries that are not wanted or were cut by a slab's end, is at most
/// an eighth of the content.
struct StreamRule {
  private var content: Int64 = 0
  /// What is kept beside it.
  private var slack: Int64 = 0
  /// The stretch that is looked at before slabs are filled.
  private var stretch: (start: Int64, content: Int64, entries: Int64)?
  /// How long that is to be, in bytes: a small archive has none. Longer each time that slabs were filled in vain.
  private var length = StreamRule.shortest
  /// The number of slabs in a row that were not kept.
  private var misses = 0

  private static let shortest: Int64 = 256 << 10
  private static let longest: Int64 = 64 << 20
  /// Larger entries, on average, are cut by the ends of slabs too often.
  private static let largestAverage: Int64 = 1 << 20

  private func fits(_ content: Int64, of size: Int64) -> Bool {
    (slack + size - content) * 8 <= self.content + content
  }

  /// Whether slabs are to be filled, after this content of an entry to be packed.
  mutating func begins(after part: Range<Int64>) -> Bool {
    guard var stretch else {
      stretch = (part.upperBound, 0, 0)
      return false
    }
    stretch.content += Int64(part.count)
    stretch.entries += 1
    self.stretch = stretch
    let size = part.upperBound - stretch.start
    guard size >= length else { return false }
    self.stretch = nil
    return fits(stretch.content, of: size) && stretch.content / stretch.entries <= Self.largestAverage
  }

  enum Verdict { case keep, copy, copyAndStop }

  /// What becomes of a slab that holds this much content of entries to be packed, and of those after it.
  mutating func verdict(on content: Int64, of size: Int64) -> Verdict {
    guard fits(content, of: size) else {
      misses += 1
      // One among many that are kept is copied.
      guard misses > 1 || content < size / 4 * 3 else { return .copy }
      (length, misses) = (min(4 * length, Self.longest), 0)
      return .copyAndStop
    }
    self.content += content
    slack += size - content
    (length, misses) = (Self.shortest, 0)
    return .keep
  }
}
