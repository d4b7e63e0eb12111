import Foundation

/// One JSON object a line, compared by what it says: the order of an object's keys means nothing.
package struct JSONLines: Equatable {
  package indirect enum Value: Decodable, Hashable {
    case number(Int64)
    case text(String)
    case flag(Bool)
    case list([[String: Value]])

    package init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let flag = try? container.decode(Bool.self) {
        self = .flag(flag)
      } else if let number = try? container.decode(Int64.self) {
        self = .number(number)
      } else if let list = try? container.decode([[String: Value]].self) {
        self = .list(list)
      } else {
        self = .text(try container.decode(String.self))
      }
    }
  }

  package let objects: [[String: Value]]

  /// - Throws: when a line is no object of numbers, texts, flags and lists of objects, or the last line has no end.
  package init(_ bytes: ByteString) throws {
    guard bytes.values.isEmpty || bytes.values.last == UInt8(ascii: "\n") else { throw UnfinishedLine() }
    objects = try bytes.lines.map { try JSONDecoder().decode([String: Value].self, from: Data($0.values)) }
  }

  private struct UnfinishedLine: Error {}
}
