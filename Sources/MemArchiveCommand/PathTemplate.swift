import ArgumentParser
import MemArchive

/// An argument that may contain {NAME}.
struct PathTemplate {
  /// What stands for an entry.
  struct Reference: Hashable {
    enum Form: Hashable {
      /// {NAME}: its path.
      case path
      /// {#NAME}: the number of its descriptor.
      case number
      /// {NAME:as=FILE}: a path whose last component is this.
      case named(String)
    }
    let key: NameKey
    let form: Form

    var name: String { key.name }

    init(_ name: String, _ form: Form = .path) { (key, self.form) = (NameKey(name), form) }

    /// What is written between braces.
    fileprivate init(written: String) {
      if written.utf8.first == UInt8(ascii: "#"), written.utf8.count > 1 {
        self.init(String(written.dropFirst()), .number)
        return
      }
      let mark = written.ranges(of: ":as=").last
      let file = mark.map { written[$0.upperBound...] } ?? ""
      guard let mark, mark.lowerBound > written.startIndex, !file.isEmpty,
        !file.utf8.contains(UInt8(ascii: "/"))
      else {
        self.init(written)
        return
      }
      self.init(String(written[..<mark.lowerBound]), .named(String(file)))
    }
  }

  private enum Segment {
    case text(String)
    case entry(Reference)
  }
  private var segments: [Segment] = []

  /// The entries in it.
  var references: [Reference] {
    segments.compactMap { if case .entry(let reference) = $0 { reference } else { nil } }
  }

  init(_ argument: String) throws {
    var rest = Substring(argument)
    while let brace = rest.utf8.firstIndex(of: UInt8(ascii: "{")) {
      // ${ is the shell's.
      let isDollar = rest.utf8[..<brace].last == UInt8(ascii: "$")
      segments.append(.text(rest[..<brace] + (isDollar ? "{" : "")))
      rest = rest[rest.utf8.index(after: brace)...]
      if isDollar {
        // ${{ was written by those who knew that a doubled brace is one.
        if rest.utf8.first == UInt8(ascii: "{") { rest = rest[rest.utf8.index(after: rest.startIndex)...] }
        continue
      }
      if rest.utf8.first == UInt8(ascii: "{") {
        segments.append(.text("{"))
        rest = rest[rest.utf8.index(after: rest.startIndex)...]
        continue
      }
      guard let (name, after) = Self.name(rest) else {
        throw ValidationError("\"\(argument)\" has a brace that is not closed; write {{ for a literal brace.")
      }
      guard !name.isEmpty else {
        throw ValidationError("\"\(argument)\" has no name between its braces; write {{ for a literal brace.")
      }
      segments.append(.entry(Reference(written: name)))
      rest = after
    }
    segments.append(.text(String(rest)))
  }

  /// The name up to the brace that closes it, and what follows. A doubled brace is one of the name; where none but doubled
  /// ones come, the first closes it, as in "{{{NAME}}".
  private static func name(_ text: Substring) -> (String, after: Substring)? {
    let (bytes, closing) = (text.utf8, UInt8(ascii: "}"))
    guard let first = bytes.firstIndex(of: closing) else { return nil }
    var (name, start) = ("", bytes.startIndex)
    while let brace = bytes[start...].firstIndex(of: closing) {
      name += text[start..<brace]
      let next = bytes.index(after: brace)
      guard next < bytes.endIndex, bytes[next] == closing else { return (name, text[next...]) }
      name += "}"
      start = bytes.index(after: next)
    }
    return (String(text[..<first]), text[bytes.index(after: first)...])
  }

  /// What to say of names that are not there.
  struct Advice {
    let text: String
    /// Whether the command has a brace that may have been meant as one.
    let isCertain: Bool
  }

  /// For a command with braces of its own.
  static func advice(_ command: [String]) -> Advice {
    let hasBrace = command.lazy.compactMap { try? Self($0) }.contains { template in
      !template.references.isEmpty
        && template.segments.contains {
          switch $0 {
          case .text(let text): text.utf8.contains(UInt8(ascii: "}"))
          case .entry(let entry):
            entry.name.utf8.contains { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }
          }
        }
    }
    return Advice(
      text: " Write {{ for a brace that begins no name" + (hasBrace ? ", and }} for one in a name." : "."),
      isCertain: hasBrace)
  }

  /// The argument's bytes with what each entry is for the command in its place.
  func filled(with values: [Reference: [UInt8]]) -> [UInt8] {
    segments.flatMap { segment in
      switch segment {
      case .text(let text): ArchiveEntry.rawName(of: text)
      case .entry(let entry): values[entry] ?? []
      }
    }
  }
}
