import MemArchive

/// A line of `each --json`: about an entry, an error or an archive.
struct EachLine: Encodable {
  enum Event: String, Encodable {
    case entry, error, archive
  }

  let event: Event
  let archive: String
  var name, raw: String?
  var position, size: Int?
  /// How the command ended.
  var status, signal: Int32?
  var milliseconds: Int?
  /// What the command wrote to standard output.
  var output: String?
  var cut: Bool?
  var verdict: String?
  /// The name of a signature.
  var found: String?
  var code, error: String?
  var entries, files, failures: Int?
  var bytes: Int64?

  init(_ event: Event, _ archive: String) { (self.event, self.archive) = (event, archive) }

  /// A line about an entry.
  init(_ drawn: DrawnEntry, of archive: String) {
    self.init(.entry, archive)
    (name, raw) = (drawn.entry.name, EntryRecord.raw(drawn.entry))
    (position, size) = (drawn.position, drawn.file.size)
  }

  /// A line about an error.
  init(_ failure: FailureRecord, of archive: String) {
    self.init(.error, archive)
    (name, code, error, status) = (failure.name, failure.code, failure.error, failure.status)
  }

  mutating func set(_ end: EntryCommand.End) {
    switch end {
    case .exit(let code): status = code
    case .signal(let number): signal = number
    }
  }

  func write() throws { try Output.write(JSONLine.bytes(self, by: JSONLine.encoder())) }
}
