// What a log may hold: passphrases are counted, never shown, whichever way options are written out.
extension ExtractionOptions: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The options in one line; of passphrases only how many there are.
  public var description: String {
    "ExtractionOptions(" + shown.map { "\($0.label): \($0.value)" }.joined(separator: ", ") + ")"
  }

  /// The same as ``description``.
  public var debugDescription: String { description }

  /// What ``description`` shows.
  public var customMirror: Mirror {
    Mirror(self, children: shown.map { (label: $0.label, value: $0.value) }, displayStyle: .struct)
  }

  private var shown: [(label: String, value: String)] {
    func text<Value>(_ value: Value?) -> String { value.map { "\($0)" } ?? "nil" }
    let shown = [
      ("limits", "\(limits)"), ("formats", "[\(formats)]"), ("fill", "\(fill)"), ("storage", "\(storage)"),
      ("descriptorBudget", text(descriptorBudget)), ("parallelism", text(parallelism)),
      ("duplicates", "\(duplicates)"), ("executable", "\(executable)"), ("strictLinks", "\(strictLinks)"),
      ("insecureNames", "\(insecureNames)"), ("passphrases", "\(passphrases.count), not shown"),
      ("onError", "\(onError)"), ("encoding", text(encoding)), ("sandbox", "\(sandbox)"),
      ("worker", text(worker)), ("timeout", text(timeout)), ("onProgress", onProgress == nil ? "nil" : "set"),
    ]
    return shown.map { (label: $0.0, value: PlainText.escaped($0.1)) }
  }
}
