public import SystemPackage

/// Why an archive, an entry or a file in memory could not be had.
///
/// `description` is a sentence for a person: the entry, what happened, the failing call and its
/// `Errno` or libarchive's own words, and what to do about it.
public struct ArchiveError: Error, Hashable, Sendable {
  /// What went wrong, to be switched over with `==`. More codes may come with later versions.
  public struct Code: Hashable, Sendable {
    private enum Kind: String, CaseIterable {
      case unrecognizedFormat, unsupportedFormat, unsupportedFeature
      case corrupt, truncated
      case passphraseRequired, wrongPassphrase
      case limitExceeded, tooManyLayers
      case noSuchEntry, notAFile, duplicateEntry, linkTargetUnavailable, insecureName
      case cancelled, timedOut
      case sandboxUnavailable, sandboxViolation, workerFailed
      case nameConflict, nameTooLong
      case descriptorLimit, processLimit, outOfMemory, pathUnavailable, treeUnavailable, sourceConsumed,
        untrusted
      case system
    }

    private let kind: Kind
    private init(_ kind: Kind) { self.kind = kind }

    /// The code of this name.
    init?(name: String) {
      guard let kind = Kind(rawValue: name) else { return nil }
      self.kind = kind
    }

    /// The bytes are no archive that any registered reader knows.
    public static var unrecognizedFormat: Self { Self(.unrecognizedFormat) }
    /// The container is known and deliberately not read (it would run programs, or lists files only).
    public static var unsupportedFormat: Self { Self(.unsupportedFormat) }
    /// The container is read, but not with this compression method, encryption or extension.
    public static var unsupportedFeature: Self { Self(.unsupportedFeature) }
    /// Bytes contradict their checksum, their declared size or the format's rules.
    public static var corrupt: Self { Self(.corrupt) }
    /// The archive ends before its content does.
    public static var truncated: Self { Self(.truncated) }
    /// The entry is encrypted and no passphrase was given.
    public static var passphraseRequired: Self { Self(.passphraseRequired) }
    /// None of the passphrases given opens the entry.
    public static var wrongPassphrase: Self { Self(.wrongPassphrase) }
    /// The archive asks for more than ``Limits`` allows.
    public static var limitExceeded: Self { Self(.limitExceeded) }
    /// Compression is wrapped in compression more often than ``Limits/depth`` allows.
    public static var tooManyLayers: Self { Self(.tooManyLayers) }
    /// A name was asked for that the archive does not hold.
    public static var noSuchEntry: Self { Self(.noSuchEntry) }
    /// The entry is a directory, a device or another kind that has no content.
    public static var notAFile: Self { Self(.notAFile) }
    /// Two entries share a name and ``ExtractionOptions/Duplicates/reject`` was asked for.
    public static var duplicateEntry: Self { Self(.duplicateEntry) }
    /// A link's target was not extracted.
    public static var linkTargetUnavailable: Self { Self(.linkTargetUnavailable) }
    /// A name leads out of the directory it would be unpacked in and
    /// ``ExtractionOptions/InsecureNames/reject`` was asked for.
    public static var insecureName: Self { Self(.insecureName) }
    /// The task that the extraction ran for was cancelled.
    public static var cancelled: Self { Self(.cancelled) }
    /// ``ExtractionOptions/timeout`` has passed, or a worker has done nothing for a minute.
    public static var timedOut: Self { Self(.timedOut) }
    /// ``ExtractionOptions/Sandbox/required`` was asked for and cannot be had: the reason names the part that is missing.
    public static var sandboxUnavailable: Self { Self(.sandboxUnavailable) }
    /// A sandboxed worker did what none does that is in its right mind: a system call beyond extraction, a message that
    /// contradicts itself, a file that is not sealed. The archive has taken it over, or tried to.
    public static var sandboxViolation: Self { Self(.sandboxViolation) }
    /// A sandboxed worker crashed or was killed; this process is as it was.
    public static var workerFailed: Self { Self(.workerFailed) }
    /// The process or the system has no descriptor left (EMFILE, ENFILE).
    public static var descriptorLimit: Self { Self(.descriptorLimit) }
    /// The user or the system may start no further process or thread (EAGAIN of clone(2): RLIMIT_NPROC, a control group).
    public static var processLimit: Self { Self(.processLimit) }
    /// The system has no memory left (ENOMEM, ENOSPC).
    public static var outOfMemory: Self { Self(.outOfMemory) }
    /// `/proc` is not mounted, so that a descriptor has no path.
    public static var pathUnavailable: Self { Self(.pathUnavailable) }
    /// In a ``MemTree``, a file stands where a directory must be, or a directory where a file.
    public static var nameConflict: Self { Self(.nameConflict) }
    /// A name is longer than a file system takes: 255 bytes between slashes, 4,000 bytes in all.
    public static var nameTooLong: Self { Self(.nameTooLong) }
    /// The system refuses a ``MemTree``; ``ArchiveError/call`` says which call, and the advice what to change.
    public static var treeUnavailable: Self { Self(.treeUnavailable) }
    /// A pipe was read to its end before; it cannot be read a second time.
    public static var sourceConsumed: Self { Self(.sourceConsumed) }
    /// What another process sent is not a sealed file in memory, or not the one that it says it is.
    public static var untrusted: Self { Self(.untrusted) }
    /// A system call failed; ``ArchiveError/call`` and ``ArchiveError/errno`` say which and why.
    public static var system: Self { Self(.system) }
  }

  /// What it says, in one place: an error of one word costs next to nothing where a result or an optional could be one.
  private final class Storage: Hashable, Sendable {
    let code: Code
    let entry: String?
    let reason: String
    let call: String?
    let errno: Errno?
    let advice: String

    init(_ code: Code, _ entry: String?, _ reason: String, _ call: String?, _ errno: Errno?, _ advice: String)
    {
      (self.code, self.entry, self.reason) = (code, entry, reason)
      (self.call, self.errno, self.advice) = (call, errno, advice)
    }

    private var texts: [String?] { [entry, reason, call, advice] }

    static func == (left: Storage, right: Storage) -> Bool {
      left.code == right.code && left.errno == right.errno && left.texts == right.texts
    }

    func hash(into hasher: inout Hasher) {
      hasher.combine(code)
      hasher.combine(errno)
      hasher.combine(texts)
    }
  }

  private let storage: Storage

  /// What went wrong.
  public var code: Code { storage.code }
  /// The name of the entry at hand, ``ArchiveEntry/name``; `nil` when the archive as a whole is meant.
  public var entry: String? { storage.entry }
  /// What happened, without the entry and the advice.
  public var reason: String { storage.reason }
  /// The failing system call or library function, when one failed.
  public var call: String? { storage.call }
  /// The error number of the failing system call. libarchive's and zlib's own numbers are never put here.
  public var errno: Errno? { storage.errno }
  /// One sentence about what can be done.
  public var advice: String { storage.advice }

  package init(
    _ code: Code, entry: String? = nil, _ reason: String, call: String? = nil, errno: Errno? = nil,
    advice: String
  ) {
    storage = Storage(code, entry, reason, call, errno, advice)
  }

  /// The same error, said of an entry, or of the archive as a whole.
  func of(_ entry: String?) -> Self {
    Self(code, entry: entry, reason, call: call, errno: errno, advice: advice)
  }

  /// The same error, said of `name` unless it names an entry already.
  func naming(_ name: String?) -> Self { entry == nil && name != nil ? of(name) : self }
}

extension ArchiveError: CustomStringConvertible {
  /// A sentence for a person: the entry, what happened, the failing call, what to do. One line, fit for a terminal and a
  /// log: what of a name would control these is escaped here, `\u{1B}`, and is as it was in ``entry``.
  public var description: String {
    var text = entry.map { "entry \"\($0)\": " } ?? ""
    text += reason
    if let call {
      text += errno.map { " (\(call): \($0))" } ?? " (\(call))"
    }
    return PlainText.escaped(text + ". " + advice)
  }
}

extension ArchiveError.Code: CustomStringConvertible {
  /// The code's name, such as "corrupt".
  public var description: String { kind.rawValue }
}
