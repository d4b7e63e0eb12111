/// Something odd in an archive that did not prevent its extraction.
public struct ArchiveWarning: Hashable, Sendable {
  /// The name of the entry concerned; `nil` for the archive as a whole.
  public let entry: String?
  /// What is odd.
  public let text: String
  /// What kind of thing is odd.
  public let code: Code
  /// The number of warnings that this one replaces; 0 for an ordinary warning.
  private(set) var others = 0

  init(_ code: Code, entry: String? = nil, _ text: String) {
    (self.code, self.entry, self.text) = (code, entry, text)
  }

  /// The kind of a warning. Later versions may have more.
  public struct Code: Hashable, Sendable {
    enum Kind: UInt8, CaseIterable {
      case oddity, dataAfterEnd, missingEnd, duplicate, brokenLink, equivalentNames, noMatch, leftOut,
        noSandbox,
        weakSandbox, others
    }

    let kind: Kind

    init(_ kind: Kind) { self.kind = kind }

    /// Something in the archive contradicts itself or its format, and was read all the same.
    public static var oddity: Self { Self(.oddity) }
    /// Bytes after the end of the archive, or of the compression around it, were ignored.
    public static var dataAfterEnd: Self { Self(.dataAfterEnd) }
    /// The archive stops where a whole one has an end marker; every entry is complete.
    public static var missingEnd: Self { Self(.missingEnd) }
    /// Another entry of the same name won (``ExtractionOptions/duplicates``).
    public static var duplicate: Self { Self(.duplicate) }
    /// A link leads to no file (``ExtractionOptions/brokenLinks``).
    public static var brokenLink: Self { Self(.brokenLink) }
    /// Two names are canonically equivalent, one key for a dictionary of Swift's.
    public static var equivalentNames: Self { Self(.equivalentNames) }
    /// Nothing in the archive was selected by a name or pattern (``ExtractionOptions/unmatchedSelection``).
    public static var noMatch: Self { Self(.noMatch) }
    /// A tree has no place for the entry (``MemTree/skipped``).
    public static var leftOut: Self { Self(.leftOut) }
    /// The archive was read without the wanted sandbox.
    public static var noSandbox: Self { Self(.noSandbox) }
    /// A part of the wanted sandbox was missing.
    public static var weakSandbox: Self { Self(.weakSandbox) }
    /// More warnings than are kept; the text says how many.
    public static var others: Self { Self(.others) }
  }
}

extension ArchiveWarning.Code: CustomStringConvertible {
  /// The code's name, such as "duplicate".
  public var description: String { "\(kind)" }
}

extension ArchiveWarning: CustomStringConvertible {
  /// The entry, if there is one, and what is odd; one line, escaped like ``ArchiveError/description``.
  public var description: String { PlainText.escaped((entry.map { "entry \"\($0)\": " } ?? "") + text) }
}

extension ArchiveWarning {
  /// The last warning, if there were more than are kept.
  static func others(_ count: Int) -> Self {
    var warning = Self(.others, "\(count) further warning\(count == 1 ? "" : "s") not shown")
    warning.others = count
    return warning
  }

  static func noSandbox(_ reason: String) -> Self { Self(.noSandbox, "there is no sandbox: " + reason) }

  static func weakSandbox(without part: String) -> Self {
    Self(.weakSandbox, "the sandbox lacks \(part), which this system does not provide")
  }

  /// Whether it says that all or part of the wanted protection is missing.
  package var concernsSandbox: Bool { [.noSandbox, .weakSandbox].contains(code) }

  static func unavailable(_ link: String, _ why: String) -> Self {
    Self(.brokenLink, entry: link, ArchiveError.unavailablePrefix + why)
  }

  /// The reason that a link leads to no file, if the warning is about that.
  var unavailability: String? {
    code == .brokenLink
      ? String(text.dropFirst(ArchiveError.unavailablePrefix.count)) : nil
  }

  static func leftOut(_ name: String) -> Self {
    Self(.duplicate, entry: name, "a later entry of the same name was left out")
  }

  static func replaced(_ name: String) -> Self {
    Self(.duplicate, entry: name, "a later entry of the same name replaced it")
  }
}
