/// Holds content to the size that its header declares.
struct DeclaredSize {
  let size: Int64?

  /// Throws where a block reaches beyond it.
  func check(blockEnd end: Int64) throws(ArchiveError) {
    guard let size, end > size else { return }
    throw .corrupt("the entry holds more than the \(size) bytes that its header declares")
  }

  /// Throws where all of the content is less.
  func check(total: Int64) throws(ArchiveError) {
    guard let size, total != size else { return }
    throw .corrupt("the entry holds \(total) bytes, and its header declares \(size)")
  }
}
