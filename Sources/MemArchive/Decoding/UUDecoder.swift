/// Decodes what uuencode(1) wraps for mail: lines between "begin" and "end" (POSIX.1, uuencode), or base64 between
/// "begin-base64" and "====".
///
/// libarchive (to 3.8.9) takes the end of the file for the end of the content.
final class UUDecoder: ByteSource {
  private enum State {
    case before, inContent(isBase64: Bool), atEnd
  }

  private var input: InputBuffer
  private let warnings: WarningLog
  private var state = State.before
  /// What the latest line holds, and how much of it was read.
  private var content: [UInt8] = []
  private var taken = 0
  /// Whether a line of uuencode said that nothing follows but "end".
  private var isComplete = false
  /// Whether the latest line ends where the text does, and not with a line feed.
  private var isLineCut = false

  /// A line of either encoding is 61 or 76 characters long; of the text before, at most as long as mail allows.
  private static let longestLine = 1000

  init(_ upstream: any ByteSource, warnings: WarningLog) {
    input = InputBuffer(upstream)
    self.warnings = warnings
  }

  var progress: SourceProgress { input.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    while taken == content.count {
      if case .atEnd = state { return 0 }
      (content, taken) = ([], 0)
      try takeLine()
    }
    let count = min(buffer.byteCount, content.count - taken)
    unsafe buffer.copy(content.span.bytes.extracting(taken..<taken + count))
    taken += count
    return count
  }

  private func takeLine() throws(ArchiveError) {
    guard let line = try nextLine() else { throw Self.cut }
    switch state {
    case .before:
      if let isBase64 = Self.begin(line) { state = .inContent(isBase64: isBase64) }
    case .inContent(isBase64: true):
      if line == Array("====".utf8) { return try end() }
      guard let bytes = Self.base64(line) else { throw damaged() }
      content = bytes
    case .inContent(isBase64: false):
      if isComplete {
        guard line == Array("end".utf8) else { throw damaged() }
        return try end()
      }
      guard let bytes = Self.uu(line) else { throw damaged() }
      isComplete = bytes.isEmpty
      content = bytes
    case .atEnd: break
    }
  }

  private static var cut: ArchiveError { .truncated("the uuencoded text ends before its last line") }

  /// The error of a line that makes no sense.
  private func damaged() -> ArchiveError {
    isLineCut ? Self.cut : .corrupt("a line of the uuencoded text is damaged")
  }

  private func end() throws(ArchiveError) {
    state = .atEnd
    while let line = try nextLine() {
      guard line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else {
        return warnings.add(
          ArchiveWarning(.dataAfterEnd, "text after the end of the uuencoded part was ignored"))
      }
    }
  }

  /// The next line without its end; nil at the end of the text.
  private func nextLine() throws(ArchiveError) -> [UInt8]? {
    var length = 0
    while try input.has(length + 1) {
      if input[length] == UInt8(ascii: "\n") { break }
      length += 1
      guard length <= Self.longestLine else { throw .corrupt("a line of the uuencoded text is too long") }
    }
    guard input.count > 0 else { return nil }
    isLineCut = length == input.count
    var line = input.withBytes(length) { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    input.drop(min(input.count, length + 1))
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    return line
  }

  // MARK: Lines

  /// Whether what a "begin" line announces is base64; nil for another line. It has a mode of three or four octal digits and
  /// a name.
  static func begin(_ line: some Collection<UInt8>) -> Bool? {
    let parts = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, (3...4).contains(parts[1].count),
      parts[1].allSatisfy({ (0x30...0x37).contains($0) }), (1...255).contains(parts[2].count),
      String(validating: parts[2], as: UTF8.self) != nil
    else { return nil }
    if parts[0].elementsEqual("begin".utf8) { return false }
    return parts[0].elementsEqual("begin-base64".utf8) ? true : nil
  }

  /// What a line of uuencode holds; nil where it is none. Its first character says how many bytes, and each four that follow
  /// hold three. Spaces, which stand for zeros, may have got lost at the end, and a checksum may follow.
  static func uu(_ line: [UInt8]) -> [UInt8]? {
    guard let first = line.first, (0x20...0x60).contains(first) else { return nil }
    let count = Int((first - 0x20) & 0x3F)
    let characters = (count + 2) / 3 * 4
    guard line.count <= 1 + characters + 1, line.allSatisfy({ (0x20...0x60).contains($0) }) else {
      return nil
    }
    var values = line.dropFirst().prefix(characters).map { ($0 - 0x20) & 0x3F }
    values.grow(to: characters)
    return Array(joined(values).prefix(count))
  }

  /// What a line of base64 holds (RFC 4648, 4); nil where it is none.
  static func base64(_ line: [UInt8]) -> [UInt8]? {
    guard line.count % 4 == 0 else { return nil }
    let padding = line.reversed().prefix { $0 == UInt8(ascii: "=") }.count
    guard padding <= 2 else { return nil }
    var values: [UInt8] = []
    for character in line.dropLast(padding) {
      guard let value = base64Value(of: character) else { return nil }
      values.append(value)
    }
    values.grow(to: line.count)
    return joined(values).dropLast(padding)
  }

  /// The six bits that a character of base64 stands for; nil if it is none.
  static func base64Value(of character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - 0x41
    case UInt8(ascii: "a")...UInt8(ascii: "z"): character - 0x61 + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - 0x30 + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }

  /// Three bytes of each four values of six bits.
  private static func joined(_ values: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: values.count, by: 4) {
      let (a, b, c, d) = (values[index], values[index + 1], values[index + 2], values[index + 3])
      bytes += [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
    }
    return bytes
  }
}
