/// Something odd in an archive that did not prevent its extraction.
public struct ArchiveWarning: Hashable, Sendable {
  /// The name of the entry it is about; `nil` for the archive as a whole.
  public let entry: String?
  /// What is odd.
  public let text: String
}

extension ArchiveWarning: CustomStringConvertible {
  /// The entry, where there is one, and what is odd.
  public var description: String { (entry.map { "entry \"\($0)\": " } ?? "") + text }
}

extension ArchiveWarning {
  static func noSandbox(_ reason: String) -> Self { Self(entry: nil, text: noSandboxPrefix + reason) }
  private static var noSandboxPrefix: String { "there is no sandbox: " }
  /// Whether it says that an archive was read in this process although a sandbox was wanted.
  package var saysNoSandbox: Bool { text.hasPrefix(Self.noSandboxPrefix) }

  static func leftOut(_ name: String) -> Self {
    Self(entry: name, text: "a later entry of the same name was left out")
  }

  static func replaced(_ name: String) -> Self {
    Self(entry: name, text: "a later entry of the same name replaced it")
  }
}
