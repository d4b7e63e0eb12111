internal import Libc

/// The records of a web archive (ISO 28500) that hold what was fetched: responses with their HTTP headers, and resources.
///
/// libarchive 3.6.2 reads a record twice whose data comes in several blocks, and takes no URI in angle brackets.
final class WARCReader: EntryParser {
  private let input: FormatInput
  private let warnings: WarningLog
  private var (contentEnd, size): (Int64, Int64) = (0, 0)
  private var (recordCount, entryCount) = (0, 0)
  private var isInside = false

  private static let mostHeader = 1 << 20
  private static let (cr, lf) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))

  init(_ input: FormatInput, warnings: WarningLog) {
    self.input = input
    self.warnings = warnings
  }

  var isExhausted: Bool { input.isExhausted }

  func nextHeader() throws(ArchiveError) -> Header? {
    do throws(ArchiveError) {
      while true {
        try finishRecord()
        guard let fields = try readFields() else {
          guard entryCount > 0 else { throw empty }
          return nil
        }
        recordCount += 1
        if let header = try header(fields) {
          entryCount += 1
          return header
        }
      }
    } catch {
      // Only what is not supported leaves the place of the next record known.
      if error.code != .unsupportedFeature { input.isExhausted = true }
      throw error
    }
  }

  private var empty: ArchiveError {
    input.isExhausted = true
    return ArchiveError(
      .unsupportedFeature, "none of the \(recordCount) records is a response or a resource",
      advice: "Read it with a program for web archives.")
  }

  func forEachBlock(
    declared _: Int64?, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) -> Int64 {
    try input.forEachBlock(to: contentEnd, inside: "the record", body)
    return size
  }

  /// Proceeds after the current record and the two line ends that follow it.
  private func finishRecord() throws(ArchiveError) {
    guard isInside else { return }
    isInside = false
    try input.skip(to: contentEnd, inside: "a record")
    let end = try input.bytes(4)
    if end.count < 4 {
      warnings.add("the last record does not end with two line ends")
    } else if end != [Self.cr, Self.lf, Self.cr, Self.lf] {
      throw .corrupt("a record does not end where its length says")
    }
  }

  // MARK: Headers

  /// The fields of the next record by their names in lower case; nil at the end.
  private func readFields() throws(ArchiveError) -> [String: [UInt8]]? {
    let version = try line(most: 64)
    if version.isEmpty, input.isAtEnd { return nil }
    guard version.starts(with: "WARC/".utf8) else {
      throw .corrupt("a record does not begin with its version")
    }
    guard [UInt8(ascii: "0"), UInt8(ascii: "1")].contains(version.dropFirst(5).first),
      version.dropFirst(6).first == UInt8(ascii: ".")
    else {
      input.isExhausted = true
      throw ArchiveError(
        .unsupportedFeature, "the version \"\(EntryName.key(version))\" is not read",
        advice: "Read it with a program for web archives.")
    }
    var fields: [String: [UInt8]] = [:]
    var last = ""
    var length = 0
    while true {
      let line = try line(most: Self.mostHeader)
      guard !line.isEmpty else { return fields }
      length += line.count
      guard length <= Self.mostHeader else {
        throw .corrupt("the header of a record is longer than \(Self.mostHeader) bytes")
      }
      if line[0] == 0x20 || line[0] == 0x09 {
        // A line that begins with a space continues the one before.
        fields[last]?.append(contentsOf: [0x20] + Self.trimmed(line[...]))
      } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
        last = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        fields[last] = Self.trimmed(line[(colon + 1)...])
      } else {
        throw .corrupt("a line of a record's header has no colon")
      }
    }
  }

  /// A line without its end.
  private func line(most: Int) throws(ArchiveError) -> [UInt8] {
    var line = try input.line(most: most)
    guard line.last == Self.lf else {
      if line.isEmpty, !isInHeader { return line }
      if input.isAtEnd || line.count < most { throw input.truncated(inside: "a record's header") }
      throw .corrupt("a line of a record's header is too long")
    }
    isInHeader = true
    line.removeLast()
    if line.last == Self.cr { line.removeLast() }
    if line.isEmpty { isInHeader = false }
    return line
  }

  private var isInHeader = false

  private static func trimmed(_ text: ArraySlice<UInt8>) -> [UInt8] {
    let text = text.drop { $0 == 0x20 || $0 == 0x09 }
    let end = text.lastIndex { $0 != 0x20 && $0 != 0x09 }
    return Array(text[text.startIndex..<(end.map { $0 + 1 } ?? text.startIndex)])
  }

  /// The entry that a record is; nil if it holds nothing that was fetched.
  private func header(_ fields: [String: [UInt8]]) throws(ArchiveError) -> Header? {
    guard let length = fields["content-length"], length.count <= 18,
      length.allSatisfy({ (0x30...0x39).contains($0) }),
      let size = Int64(String(decoding: length, as: UTF8.self))
    else { throw .corrupt("a record has no length") }
    let (end, overflow) = input.position.addingReportingOverflow(size)
    guard !overflow else { throw .corrupt("the length of a record cannot be") }
    (self.size, contentEnd, isInside) = (size, end, true)
    guard let type = fields["warc-type"] else { throw .corrupt("a record has no type") }
    guard type.elementsEqual("response".utf8) || type.elementsEqual("resource".utf8) else { return nil }
    guard let uri = fields["warc-target-uri"] ?? fields["warc-record-id"] else {
      throw .corrupt("a record has neither a URI nor an ID")
    }
    let name = Self.name(uri)
    guard fields["warc-segment-number"] == nil else {
      throw ArchiveError(
        .unsupportedFeature, entry: EntryName.key(name), "the record is one of several segments",
        advice: "Read it with a program for web archives.")
    }
    var header = Header(name: name, kind: .file, size: size)
    let date = fields["warc-date"].flatMap { Self.time($0) }
    header.modified = fields["last-modified"].flatMap { Self.time($0) } ?? date
    header.details = date.map {
      var details = ArchiveEntry.Details()
      details.changed = $0
      return details
    }
    return header
  }

  /// The path of a URI, which GNU wget puts in angle brackets, or all of one that has no host; "index.html" where the path
  /// ends with a slash, as fetching programs name it.
  private static func name(_ uri: [UInt8]) -> [UInt8] {
    var rest = uri[...]
    if rest.first == UInt8(ascii: "<"), rest.last == UInt8(ascii: ">") { rest = rest.dropFirst().dropLast() }
    let slash = UInt8(ascii: "/")
    if let colon = rest.firstIndex(of: UInt8(ascii: ":")), rest[(colon + 1)...].starts(with: [slash, slash]) {
      let isFile = rest[..<colon].elementsEqual("file".utf8)
      rest = rest[(colon + 3)...]
      if !isFile { rest = rest.drop { $0 != slash }.dropFirst() }
    }
    if uri.starts(with: "file:".utf8) || uri.starts(with: "<file:".utf8) { rest = rest.drop { $0 == slash } }
    return Array(rest) + (rest.isEmpty || rest.last == slash ? Array("index.html".utf8) : [])
  }

  /// A time such as 2026-11-28T10:40:44Z, from version 1.1 on with a fraction of a second.
  private static func time(_ text: [UInt8]) -> ArchiveEntry.Time? {
    func number(_ range: Range<Int>) -> Int64? {
      guard text.count >= range.upperBound, text[range].allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      return Int64(String(decoding: text[range], as: UTF8.self))
    }
    guard text.last == UInt8(ascii: "Z"), let year = number(0..<4), let month = number(5..<7),
      let day = number(8..<10), let hour = number(11..<13), let minute = number(14..<16),
      let second = number(17..<19), 1...12 ~= month, 1...31 ~= day, hour < 24, minute < 60, second <= 60
    else { return nil }
    var parts = unsafe tm()
    unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (Int32(year) - 1900, Int32(month) - 1, Int32(day))
    unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec) = (Int32(hour), Int32(minute), Int32(second))
    return ArchiveEntry.Time(seconds: Int64(unsafe timegm(&parts)))
  }
}
