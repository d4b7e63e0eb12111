import ArgumentParser

/// A number of bytes as people write it: 4096, 512M, 2GiB (powers of 1024), 1GB (powers of 1000).
struct ByteCount {
  let bytes: Int64

  /// - Throws: `ValidationError` that says what a size looks like.
  init(parsing argument: String) throws {
    guard let count = Self(argument: argument) else {
      throw ValidationError("a size is a number of bytes such as 4096, 512M or 2GiB.")
    }
    self = count
  }

  init?(argument: String) {
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

  /// A number of bytes for people: "1.4 GiB".
  static func text(_ bytes: Int64, unit smallest: String = "bytes") -> String {
    var value = Double(bytes)
    for unit in [smallest, "KiB", "MiB", "GiB"] {
      if value < 1024 { return unit == smallest ? "\(bytes) \(unit)" : "\(tenths(value)) \(unit)" }
      value /= 1024
    }
    return "\(tenths(value)) TiB"
  }

  private static func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
