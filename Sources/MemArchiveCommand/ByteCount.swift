import ArgumentParser
import MemArchive

extension ByteCount {
  static let example = "a size is a number of bytes such as 4096, 512M or 2GiB."

  /// - Throws: `ValidationError` that says what a size looks like.
  init(parsing argument: String) throws {
    guard let count = Self(argument: argument) else {
      throw ValidationError(Self.example)
    }
    self = count
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
