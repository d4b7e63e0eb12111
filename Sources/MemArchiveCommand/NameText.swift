import MemArchive

/// How names stand in lines: as sha256sum(1) writes them, and on a terminal without what it would obey.
enum NameText {
  /// The name's raw bytes with backslash, newline and carriage return escaped, and on a terminal all that `PlainText`
  /// escapes; whether any was.
  static func escaped(_ name: String) -> (bytes: [UInt8], isEscaped: Bool) {
    let raw = ArchiveEntry.rawName(of: name)
    let name = Output.isTerminal ? onTerminal(name) : raw
    var bytes: [UInt8] = []
    for byte in name {
      switch byte {
      case UInt8(ascii: "\\") where !Output.isTerminal: bytes += Array("\\\\".utf8)
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      default: bytes.append(byte)
      }
    }
    return (bytes, bytes != raw)
  }

  private static func onTerminal(_ name: String) -> [UInt8] {
    let backslash: Unicode.Scalar = "\\"
    let parts = name.unicodeScalars.split(separator: backslash, omittingEmptySubsequences: false)
    return ArchiveEntry.rawName(of: PlainText.escaped(parts.map { String($0) }.joined(separator: "\\\\")))
  }
}
