/// Which entries a visitor wants, as far as it can be said beforehand: a worker follows it without asking.
package enum VisitRule: Equatable, Sendable {
  /// The same as ``Selection``, as far as it can be sent.
  package enum Chosen: Equatable, Sendable {
    case all
    case names([String])
    case globs([String])
  }

  /// What a `FileCollector` wants.
  case collected(Chosen, ExtractionOptions.Duplicates)
  /// Everything with content whose name matches one of `include`, or any where that is empty, and none of `exclude`.
  case contents(include: [String], exclude: [String])
  /// Everything with content whose name does not lead out; the visitor may refuse it still.
  case safeContents
  /// Asked entry by entry.
  case ask
}

extension EntryVisitor {
  /// Asked entry by entry.
  package var rule: VisitRule { .ask }
}

/// What is to be done with each entry of a stream before anybody asks for it.
package enum StreamDemand: UInt8, Sendable {
  /// Nothing.
  case ask
  /// No content will be asked for.
  case headers
  /// All content will be asked for.
  case contents
}

extension WireWriter {
  mutating func put(_ rule: VisitRule) {
    switch rule {
    case .ask: put(UInt8(0))
    case .safeContents: put(UInt8(3))
    case .contents(let include, let exclude):
      put(UInt8(1))
      for globs in [include, exclude] { put(all: globs) { $0.put($1) } }
    case .collected(let chosen, let duplicates):
      put(UInt8(2))
      put(choice: duplicates)
      switch chosen {
      case .all: put(UInt8(0))
      case .names(let names):
        put(UInt8(1))
        put(all: names) { $0.put($1) }
      case .globs(let globs):
        put(UInt8(2))
        put(all: globs) { $0.put($1) }
      }
    }
  }
}

extension WireReader {
  mutating func texts() throws(Malformed) -> [String] {
    try all { reader throws(Malformed) in try reader.text() }
  }

  mutating func rule() throws(Malformed) -> VisitRule {
    switch try number(UInt8.self) {
    case 0: return .ask
    case 3: return .safeContents
    case 1: return .contents(include: try texts(), exclude: try texts())
    case 2:
      let duplicates = try choice(ExtractionOptions.Duplicates.self)
      switch try number(UInt8.self) {
      case 0: return .collected(.all, duplicates)
      case 1: return .collected(.names(try texts()), duplicates)
      case 2: return .collected(.globs(try texts()), duplicates)
      default: throw Malformed()
      }
    default: throw Malformed()
    }
  }
}
