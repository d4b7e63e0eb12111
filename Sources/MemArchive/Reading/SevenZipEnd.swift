/// Where a 7z ends: its signature header tells (7zFormat.txt, "SignatureHeader").
enum SevenZipEnd {
  /// The offset behind the last byte, by the first bytes of the archive; nil where they are too few.
  static func offset(_ head: [UInt8]) -> Int64? {
    guard head.count >= 32 else { return nil }
    let (offset, size) = (head.little(UInt64.self, at: 12), head.little(UInt64.self, at: 20))
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end < UInt64(Int64.max - 32) else { return nil }
    return 32 + Int64(end)
  }
}
