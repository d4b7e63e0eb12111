internal import Libc
internal import SystemPackage

/// Converts raw names to the strings that users see; names that are not UTF-8 by iconv(3) if a character set is given.
@safe final class NameDecoder {
  private let converter: iconv_t?

  /// - Parameter encoding: A name for iconv_open(3); nil keeps bytes that are not UTF-8 as they are.
  init(encoding: String?) throws(ArchiveError) {
    guard let encoding else {
      unsafe converter = nil
      return
    }
    let converter = unsafe iconv_open("UTF-8", encoding)
    // iconv_open reports failure by a pointer of all ones.
    guard Int(bitPattern: converter) != -1 else {
      throw ArchiveError(
        .unsupportedFeature, "names cannot be converted from \"\(encoding)\"", call: "iconv_open",
        errno: Errno(rawValue: Libc.errno),
        advice: "Check the name against `iconv --list`; on an appliance, the gconv module must be installed.")
    }
    unsafe self.converter = converter
  }

  deinit {
    if let converter = unsafe converter { unsafe _ = iconv_close(converter) }
  }

  /// A name, and whether its bytes were converted and can no longer be recovered from it.
  func decode(_ raw: [UInt8]) -> (name: String, isConverted: Bool) {
    guard unsafe converter != nil, String(validating: raw, as: UTF8.self) == nil, let utf8 = convert(raw)
    else {
      return (EntryName.key(raw), false)
    }
    return (EntryName.key(utf8), true)
  }

  /// (size_t)-1
  private static let failure = -1

  /// The bytes in UTF-8; nil if they are not valid in the character set.
  private func convert(_ raw: [UInt8]) -> [UInt8]? {
    guard let converter = unsafe converter else { return nil }
    unsafe _ = iconv(converter, nil, nil, nil, nil)
    var input = raw
    // Except for combined characters, no byte of any of iconv's character sets takes more than four bytes.
    var output = [UInt8](repeating: 0, count: raw.count * 8 + 16)
    let written: Int? = unsafe input.withUnsafeMutableBytes { input in
      unsafe output.withUnsafeMutableBytes { output in
        var from = unsafe input.baseAddress?.assumingMemoryBound(to: CChar.self)
        var fromCount = input.count
        var to = unsafe output.baseAddress?.assumingMemoryBound(to: CChar.self)
        var toCount = output.count
        guard unsafe iconv(converter, &from, &fromCount, &to, &toCount) != Self.failure, fromCount == 0
        else { return nil }
        // Sets with shift states end with a return to the first one.
        guard unsafe iconv(converter, nil, nil, &to, &toCount) != Self.failure else { return nil }
        return output.count - toCount
      }
    }
    return written.map { Array(output[..<$0]) }
  }
}
