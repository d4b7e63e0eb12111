public import SystemPackage

/// The reason that an archive, an entry or a file in memory is unavailable.
///
/// `description` is a sentence for a person: the entry, what happened, the failing call with its
/// `Errno` or libarchive's own words, and what to do about it. ``advice`` has the latter as a value.
public struct ArchiveError: Error, Hashable, Sendable {
  /// What went wrong, to be compared with `==`. Later versions may add codes.
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
        untrusted, notVerified, archiveChanged, sourceFailed
      case system
    }

    private let kind: Kind
    private init(_ kind: Kind) { self.kind = kind }

    /// The code with this name.
    init?(name: String) {
      guard let kind = Kind(rawValue: name) else { return nil }
      self.kind = kind
    }

    /// The bytes are not an archive that any reader recognizes.
    public static var unrecognizedFormat: Self { Self(.unrecognizedFormat) }
    /// The container is known and deliberately not read (it would take running a program, or it only lists files).
    public static var unsupportedFormat: Self { Self(.unsupportedFormat) }
    /// The container is supported, but not this compression method, encryption or extension.
    public static var unsupportedFeature: Self { Self(.unsupportedFeature) }
    /// Bytes contradict their checksum, their declared size or the format's rules.
    public static var corrupt: Self { Self(.corrupt) }
    /// The archive ends before its content does.
    public static var truncated: Self { Self(.truncated) }
    /// The entry is encrypted and no passphrase was given.
    public static var passphraseRequired: Self { Self(.passphraseRequired) }
    /// None of the given passphrases opens the entry.
    public static var wrongPassphrase: Self { Self(.wrongPassphrase) }
    /// The archive needs more than ``ExtractionLimits`` allows.
    public static var limitExceeded: Self { Self(.limitExceeded) }
    /// Archives or compression are nested more deeply than ``ExtractionLimits/depth`` allows.
    public static var tooManyLayers: Self { Self(.tooManyLayers) }
    /// The archive has no entry with the requested name.
    public static var noSuchEntry: Self { Self(.noSuchEntry) }
    /// The entry is a directory, a device or another kind without content.
    public static var notAFile: Self { Self(.notAFile) }
    /// Two entries share a name, and the options say ``ExtractionOptions/Duplicates/reject``.
    public static var duplicateEntry: Self { Self(.duplicateEntry) }
    /// A link's target was not extracted.
    public static var linkTargetUnavailable: Self { Self(.linkTargetUnavailable) }
    /// A name leads out of the directory it would be unpacked into, and the options say
    /// ``ExtractionOptions/InsecureNames/reject``.
    public static var insecureName: Self { Self(.insecureName) }
    /// The task that the extraction ran for was cancelled.
    public static var cancelled: Self { Self(.cancelled) }
    /// ``ExtractionOptions/timeout`` has passed, or a worker has shown no sign of life for a minute.
    public static var timedOut: Self { Self(.timedOut) }
    /// ``ExtractionOptions/Sandbox/required`` is not possible here; the reason names the missing part.
    public static var sandboxUnavailable: Self { Self(.sandboxUnavailable) }
    /// A sandboxed worker did something that extraction never does: made a forbidden system call, sent a message that
    /// contradicts itself or a file that is not sealed. The archive has taken it over, or tried to.
    public static var sandboxViolation: Self { Self(.sandboxViolation) }
    /// A sandboxed worker crashed or was killed; this process is unharmed.
    public static var workerFailed: Self { Self(.workerFailed) }
    /// The process or the system has no descriptor left (EMFILE, ENFILE).
    public static var descriptorLimit: Self { Self(.descriptorLimit) }
    /// No further process or thread may be started (EAGAIN from clone(2): RLIMIT_NPROC, a control group).
    public static var processLimit: Self { Self(.processLimit) }
    /// The system has no memory left (ENOMEM, ENOSPC).
    public static var outOfMemory: Self { Self(.outOfMemory) }
    /// `/proc` is not mounted, so a descriptor has no path.
    public static var pathUnavailable: Self { Self(.pathUnavailable) }
    /// In a ``MemTree``, a file is where a directory must be, or the other way around.
    public static var nameConflict: Self { Self(.nameConflict) }
    /// A name is longer than a file system takes: 255 bytes for one component, 4,000 bytes in all.
    public static var nameTooLong: Self { Self(.nameTooLong) }
    /// The system refuses a ``MemTree``; ``ArchiveError/call`` names the call, and the advice says what to change.
    public static var treeUnavailable: Self { Self(.treeUnavailable) }
    /// The source is a pipe that has already been read; it cannot be read a second time.
    public static var sourceConsumed: Self { Self(.sourceConsumed) }
    /// Another process sent something other than a sealed file in memory, or not the file it claims to be.
    public static var untrusted: Self { Self(.untrusted) }
    /// The archive does not agree with the digest or the signature that it was to be verified by; nothing of it was read.
    public static var notVerified: Self { Self(.notVerified) }
    /// The archive is not the one that ``LazyMemFiles`` has listed: its size or its time differs, or another entry is where the
    /// requested one was.
    public static var archiveChanged: Self { Self(.archiveChanged) }
    /// An ``ArchiveSource``, or what produces the chunks of ``ArchiveReader/init(chunks:name:)``, failed or returned what it must not; the
    /// reason has its own error.
    public static var sourceFailed: Self { Self(.sourceFailed) }
    /// A system call failed; ``ArchiveError/call`` and ``ArchiveError/errno`` say which and why.
    public static var system: Self { Self(.system) }
  }

  /// The fields, by reference: an error of one word costs next to nothing in a result or an optional.
  private final class Storage: Hashable, Sendable {
    let code: Code
    let path: String?
    let entry: String?
    let reason: String
    let call: String?
    let errno: Errno?
    let advice: Advice

    init(
      _ code: Code, _ path: String?, _ entry: String?, _ reason: String, _ call: String?, _ errno: Errno?,
      _ advice: Advice
    ) {
      (self.code, self.path, self.entry, self.reason) = (code, path, entry, reason)
      (self.call, self.errno, self.advice) = (call, errno, advice)
    }

    private var texts: [String?] { [path, entry, reason, call] }

    static func == (left: Storage, right: Storage) -> Bool {
      left.code == right.code && left.errno == right.errno && left.texts == right.texts
        && left.advice == right.advice
    }

    func hash(into hasher: inout Hasher) {
      hasher.combine(code)
      hasher.combine(errno)
      hasher.combine(texts)
      hasher.combine(advice)
    }
  }

  private let storage: Storage

  /// What went wrong.
  public var code: Code { storage.code }
  /// The name of the entry concerned, ``ArchiveEntry/name``; `nil` when it is the archive as a whole.
  public var entry: String? { storage.entry }
  /// The archive that cannot be opened: its path, or "descriptor 7"; `nil` for any other error.
  public var path: String? { storage.path }
  /// What happened, without the entry, the path and the advice.
  public var reason: String { storage.reason }
  /// The failing system call or library function, when one failed.
  public var call: String? { storage.call }
  /// The error number of the failing system call, never one of libarchive's or zlib's own.
  public var errno: Errno? { storage.errno }
  /// What can be done.
  public var advice: Advice { storage.advice }

  package init(
    _ code: Code, path: String? = nil, entry: String? = nil, _ reason: String, call: String? = nil,
    errno: Errno? = nil, advice: Advice
  ) {
    storage = Storage(code, path, entry, reason, call, errno, advice)
  }

  /// The same error for an entry, or for the archive as a whole.
  func of(_ entry: String?) -> Self {
    Self(code, path: path, entry: entry, reason, call: call, errno: errno, advice: advice)
  }

  /// The same error for an archive that is named elsewhere.
  package var withoutPath: Self {
    Self(code, entry: entry, reason, call: call, errno: errno, advice: advice)
  }

  /// The same error for `name`, unless it names an entry already.
  package func naming(_ name: String?) -> Self { entry == nil && name != nil ? of(name) : self }
}

extension ArchiveError {
  /// Whether the archive is to blame, and another entry of it may still be intact.
  var concernsArchive: Bool {
    [
      .corrupt, .truncated, .unsupportedFeature, .unsupportedFormat, .passphraseRequired, .wrongPassphrase,
      .duplicateEntry, .insecureName, .nameConflict, .nameTooLong,
    ].contains(code)
  }
}

extension ArchiveError: CustomStringConvertible {
  /// A sentence for a person: the entry, what happened, the failing call, what to do. One line, safe for a terminal and a
  /// log: control characters in names are escaped, as in `\u{1B}`; ``entry`` has the name unescaped.
  public var description: String { description { "\($0)" } }
}

extension ArchiveError.Code: CustomStringConvertible {
  /// The code's name, such as "corrupt".
  public var description: String { kind.rawValue }
}
