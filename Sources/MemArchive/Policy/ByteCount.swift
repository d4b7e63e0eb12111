/// A number of bytes as people write it: 4096, 512M, 2GiB (powers of 1024), 1GB (powers of 1000).
package struct ByteCount {
  package let bytes: Int64

  package init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits) else { return nil }
    let suffix = argument.dropFirst(digits.count).lowercased()
    var unit: Int64 = 1
    if let letter = suffix.first {
      guard let power = Array("kmgtpe").firstIndex(of: letter) else { return nil }
      let base: Int64
      switch suffix.dropFirst() {
      case "", "ib": base = 1024
      case "b": base = 1000
      default: return nil
      }
      for _ in 0...power { unit *= base }
    }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    self.bytes = bytes
  }
}
