internal import MemArchive
internal import Synchronization

/// A server's answer, after redirections.
package struct RangeAnswer: Sendable {
  package let status: Int
  /// Names in lower case; the last of each.
  package let fields: [String: String]
  package let body: [UInt8]

  package init(status: Int, fields: [String: String], body: [UInt8]) {
    (self.status, self.fields, self.body) = (status, fields, body)
  }
}

/// What carries requests: one of several libraries.
package protocol RangeTransport: Sendable {
  /// Sends a GET request for the file, follows redirections, and returns the answer with its body, where the status is 206.
  ///
  /// - Parameters:
  ///   - fields: Of the header.
  ///   - most: A longer body is an error.
  /// - Throws: Any error; ``UnansweredRequest`` if another attempt may succeed.
  func get(_ fields: [(name: String, value: String)], most: Int) async throws -> RangeAnswer
}

/// No answer, or not all of it: the connection could not be made, or was lost.
package struct UnansweredRequest: Error, CustomStringConvertible {
  package let description: String
  /// Whether the server let the time go by.
  let isSilence: Bool
  package init(_ description: String, isSilence: Bool = false) {
    (self.description, self.isSilence) = (description, isSilence)
  }
}

/// A file on a server, read by ranges (RFC 9110, 14): of one version, which each answer has to name.
package final class RangedFile<Transport: RangeTransport>: AsyncArchiveSource {
  /// What the first answer says, and its bytes.
  private struct Version {
    let size: Int64
    let tag: String?
    let modified: String?
    let head: [UInt8]

    /// What a later answer has to be of. A weak tag may stay while bytes change (RFC 9110, 8.8.1).
    var validator: String? { tag ?? modified }
  }

  private static var attempts: Int { 4 }
  /// Bytes of the first answer: as many as a reader asks for first.
  private static var firstLength: Int64 { 64 << 10 }

  private let transport: Transport
  package let name: String?
  private let version = Mutex<Version?>(nil)

  package init(_ transport: Transport, name: String?) { (self.transport, self.name) = (transport, name) }

  package var size: Int64 {
    get async throws {
      if let version = version.withLock({ $0 }) { return version.size }
      let first = try await first()
      return version.withLock { version in
        let kept = version ?? first
        version = kept
        return kept.size
      }
    }
  }

  package func bytes(in range: Range<Int64>) async throws -> [UInt8] {
    _ = try await size
    guard let version = version.withLock({ $0 }) else { return [] }
    if range.upperBound <= version.head.count {
      return Array(version.head[Int(range.lowerBound)..<Int(range.upperBound)])
    }
    var fields = [Self.rangeField(range)]
    if let validator = version.validator { fields.append(("If-Range", validator)) }
    let answer = try await answer(fields, range)
    guard answer.status == 206, let part = ContentRange(answer.fields["content-range"]) else {
      throw Self.changed
    }
    guard part.size == version.size, Self.tag(answer) == version.tag,
      version.tag != nil || answer.fields["last-modified"] == version.modified
    else { throw Self.changed }
    guard part.range == range else {
      throw ArchiveError.sourceFailed("the server sent the bytes \(part.range), and \(range) were asked for")
    }
    return answer.body
  }

  private func first() async throws -> Version {
    let range = 0..<Self.firstLength
    let answer = try await answer([Self.rangeField(range)], range)
    if answer.status == 416, answer.fields["content-range"] == "bytes */0" {
      return Version(size: 0, tag: nil, modified: nil, head: [])
    }
    guard answer.status == 206 else {
      throw ArchiveError(
        .sourceFailed, "the server sends the file only as a whole",
        advice: "Read it from a pipe, such as that of curl, or from a file.")
    }
    guard let part = ContentRange(answer.fields["content-range"]),
      part.range == 0..<min(range.upperBound, part.size)
    else {
      throw ArchiveError.sourceFailed(
        "the server sent a part that is not the first one: \(answer.fields["content-range"] ?? "no Content-Range")"
      )
    }
    let version = Version(
      size: part.size, tag: Self.tag(answer), modified: answer.fields["last-modified"], head: answer.body)
    guard version.validator != nil || version.head.count == version.size else {
      throw ArchiveError(
        .sourceFailed,
        "the server names no version of the file (ETag, Last-Modified), so that a change would not be seen",
        advice: "Read it from a pipe, such as that of curl, or from a file.")
    }
    return version
  }

  /// The answer to a request for a range, which is whole; asked again a few times where that may help. A server that has
  /// never answered and lets the time go by once would most likely do so each time.
  private func answer(
    _ fields: [(name: String, value: String)], _ range: Range<Int64>
  ) async throws -> RangeAnswer {
    var attempt = 1
    while true {
      var failure: String
      var isHopeless = false
      do {
        let answer = try await transport.get(fields, most: range.count)
        switch answer.status {
        case 206:
          guard answer.fields["content-encoding"].map({ $0 == "identity" }) ?? true else {
            throw ArchiveError.sourceFailed("the server compresses what it sends")
          }
          let stated = ContentRange(answer.fields["content-range"])?.range.count
          if stated.map({ $0 == answer.body.count }) ?? true { return answer }
          failure = "the server sent \(answer.body.count) of \(stated ?? 0) bytes"
        case 200, 416: return answer
        case 408, 429, 500..<600: failure = "the server answered with status \(answer.status)"
        default: throw ArchiveError.sourceFailed("the server answered with status \(answer.status)")
        }
      } catch let error as UnansweredRequest {
        failure = error.description
        isHopeless = error.isSilence && version.withLock { $0 == nil }
      }
      guard !isHopeless else { throw ArchiveError.sourceFailed(failure) }
      guard attempt < Self.attempts else { throw ArchiveError.sourceFailed("\(failure), \(attempt) times") }
      // 0.1, 0.2, 0.4 seconds.
      try await Task.sleep(for: .milliseconds(50 << attempt))
      attempt += 1
    }
  }

  private static func rangeField(_ range: Range<Int64>) -> (name: String, value: String) {
    ("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
  }

  private static func tag(_ answer: RangeAnswer) -> String? {
    answer.fields["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 }
  }

  private static var changed: ArchiveError {
    ArchiveError(
      .sourceFailed, "the file on the server has changed while it was read", advice: "Read it again.")
  }
}

/// "bytes 0-99/1000" (RFC 9110, 14.4).
struct ContentRange {
  let range: Range<Int64>
  let size: Int64

  /// nil unless the range lies within the size.
  init?(_ value: String?) {
    guard let value, value.hasPrefix("bytes ") else { return nil }
    let halves = value.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    guard halves.count == 2, let size = Self.number(halves[1]) else { return nil }
    let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]), first <= last,
      last < size
    else { return nil }
    (range, self.size) = (first..<last + 1, size)
  }

  /// Digits alone.
  private static func number(_ text: Substring) -> Int64? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(text) : nil
  }
}

/// The address of a file on a server.
package struct FileAddress: Sendable {
  package let text: String
  /// The last part of the path, decoded; nil for none.
  package let name: String?
  /// Without a password and without the query, either of which may be a secret.
  package let publicText: String

  /// nil unless it begins with http:// or https://.
  package init?(_ text: String) {
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard ["http", "https"].contains(scheme), text.dropFirst(scheme.utf8.count).hasPrefix("://") else {
      return nil
    }
    self.text = text
    let rest = text.dropFirst(scheme.utf8.count + 3).prefix { $0 != "?" && $0 != "#" }
    let host = rest.prefix { $0 != "/" }
    guard !host.isEmpty else { return nil }
    let path = rest.dropFirst(host.count)
    publicText = "\(scheme)://\(host.split(separator: "@").last ?? "")\(path)"
    name = path.split(separator: "/", omittingEmptySubsequences: false).last.flatMap { Self.decoded($0) }
  }

  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(Substring(rest.prefix(2))), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }
}
