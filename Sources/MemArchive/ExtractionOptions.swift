internal import SealedMemory

/// How entries become files in memory.
public struct ExtractionOptions: Sendable {
  /// How a region of memory is filled.
  public enum Fill: Hashable, Sendable, CaseIterable {
    /// The fastest way by measurement.
    case automatic
    /// ftruncate(2), mmap(2), stream into the mapping, munmap(2), seal.
    case mapped
    /// pwrite(2), seal.
    case written
  }

  /// Where the content of each entry is kept.
  public enum Storage: Hashable, Sendable, CaseIterable {
    /// In a memory file of its own while descriptors last (``ExtractionOptions/descriptorBudget``), packed after
    /// that: no archive fails because it has many files. Extractions at the same time share descriptors, see
    /// ``ExtractionPool``.
    case automatic
    /// In a sealed memory file of its own, with a descriptor each.
    case dedicated
    /// Packed with others into a sealed memory file of up to 16 MiB, a slab, which keeps no descriptor open; content of
    /// more than 1 MiB has one to itself, unless a tar's own stream is the slab. Three to eight times as fast for small
    /// files. A file gets a memory file of its own when its descriptor or path is first requested; a slab lives as long as
    /// any file in it, see ``MemFiles/compact()``.
    case packed
  }

  /// What to do when two entries share a name. ``MemFiles/warnings`` names each entry that loses.
  public enum Duplicates: Hashable, Sendable, CaseIterable {
    /// The later entry wins, as it would when unpacking to disk.
    case last
    /// The earlier entry wins.
    case first
    /// Throw ``ArchiveError/Code/duplicateEntry``.
    case reject
  }

  /// What to do when something is wrong with an entry.
  public enum ErrorPolicy: Hashable, Sendable, CaseIterable {
    /// Throw; nothing is returned.
    case stop
    /// Return what is intact, with the errors in ``MemFiles/errors``. Exceeded limits and failures of the system, rather than
    /// of the archive, still throw.
    case keepGoing
  }

  /// What to do with archives inside the archive.
  public enum NestedArchives: Hashable, Sendable, CaseIterable {
    /// Treat them like any other file.
    case keep
    /// Read their entries too, all in one namespace: `data.tar.xz/usr/share/x`, without the "./" that tar writers put in
    /// front. In a dictionary and a sequence the inner archive stays as well; in a tree it becomes a directory.
    ///
    /// A selection applies to these long names. A compressed file that holds no archive stays as it is, and so does content
    /// that merely begins like an archive; links are resolved only within their own archive. Limits and timeout apply to
    /// everything together, and ``ExtractionLimits/depth`` bounds how deeply archives may be nested
    /// (``ArchiveError/Code/tooManyLayers``).
    case expand
  }

  /// What to do when the archive lacks a name of ``EntrySelection/names(_:)-(String...)``, or has no name that matches one of
  /// ``EntrySelection/glob(_:)-(String...)``.
  public enum UnmatchedSelection: Hashable, Sendable, CaseIterable {
    /// Throw ``ArchiveError/Code/noSuchEntry``.
    case reject
    /// Return what there is; ``MemFiles/warnings`` says what is missing.
    case warn
  }

  /// What to do with links that lead out of the archive, lead nowhere or are circular.
  public enum BrokenLinks: Hashable, Sendable, CaseIterable {
    /// Such a link is a warning, unless it was selected by name.
    case keep
    /// Throw ``ArchiveError/Code/linkTargetUnavailable``.
    case reject
  }

  /// What to do with names that would lead out of the directory they are unpacked into, see
  /// ``ArchiveEntry/isSafeRelative``. As keys of a dictionary they are harmless.
  public enum InsecureNames: Hashable, Sendable, CaseIterable {
    /// Return the entry under its name.
    case keep
    /// Throw ``ArchiveError/Code/insecureName``.
    case reject
  }

  /// What to do in a tree with symbolic links that lead out of it, by an absolute path or by "..".
  public enum OutwardLinks: Hashable, Sendable, CaseIterable {
    /// Leave them out, and list them in ``MemTree/skipped``.
    case leaveOut
    /// Make them as they are: for a Python environment, or a root file system, whose maker you trust. Whoever follows such a
    /// link reads, and in a writable tree changes, a file of the system: an archive's "logo.png" may be /etc/shadow.
    case keep
  }

  /// Whom the files of a tree belong to.
  public enum Owner: Hashable, Sendable {
    /// This process's user and group.
    case user
    /// The user and group whose numbers the archive gives, and this process's where it gives none. Only root may give files
    /// to others, chown(2).
    case archive
    /// These, by number.
    case given(user: UInt32, group: UInt32)
  }

  /// What to do with entries of a zip whose content lies over other entries, as no archiver makes them: a zip bomb.
  public enum OverlappingEntries: Hashable, Sendable, CaseIterable {
    /// Such an entry is ``ArchiveError/Code/corrupt``, as unzip(1) says; the others are intact.
    case reject
    /// Read each of them. ``ExtractionLimits`` bound what they hold in all.
    case read
  }

  /// How a zip is read that cannot be read by position, because it arrives in chunks, comes through a pipe or is compressed.
  public enum ArrivingZips: Hashable, Sendable, CaseIterable {
    /// As any other, by its directory: it is kept in memory until its end is there.
    case whole
    /// By the local headers in front of each entry, so that entries come out while it arrives, and only what is in front of them and
    /// the directory are kept. Provisionally: at the end the directory is read, and compared with all that has come out. Only
    /// when reading ends without an error was the archive what it seemed to be.
    ///
    /// Permissions, comments and some times are in the directory alone, and unknown; a directory is what has a name with a
    /// slash at its end, and everything else is a file. An entry that the directory calls a symbolic link is
    /// ``ArchiveError/Code/unsupportedFeature`` at the end; one that it lacks, or about which it says something else, is
    /// ``ArchiveError/Code/corrupt``; and an end without a directory is ``ArchiveError/Code/truncated``. The size of an entry may be unknown
    /// before it is read, and after an error in such a one nothing more is.
    ///
    /// From the first entry on whose end its local header does not tell (encrypted, stored with its size behind it, or of a method
    /// other than deflate with its size behind it), the rest is read as with ``whole``.
    case byLocalHeaders
  }

  /// Where the archive is read: a worker may crash, the host process must not.
  public enum Sandbox: Hashable, Sendable, CaseIterable {
    /// In this process.
    case off
    /// In a worker with as much protection as the system provides, and in this process if no worker can be started;
    /// ``MemFiles/warnings`` then says why.
    case bestEffort
    /// In a fully protected worker, or not at all (``ArchiveError/Code/sandboxUnavailable``).
    case required
  }

  /// What the archive may cost.
  public var limits: ExtractionLimits
  /// The formats that may be read. Allow a single one for a file that is valid in several.
  public var formats: ArchiveFormats
  /// What to do when the archive has nothing of what was selected by name or pattern.
  public var unmatchedSelection = UnmatchedSelection.reject
  /// What to do with archives inside the archive. A stream gives them as the files that they are.
  public var nestedArchives: NestedArchives
  /// How memory is filled. Slabs are filled in huge folios with `automatic`, and otherwise written.
  public var fill = Fill.automatic
  /// Whether files have memory of their own or share slabs.
  public var storage = Storage.automatic
  /// The number of descriptors that the files of one extraction may have with ``Storage/automatic``. `nil`: as many as the
  /// soft limit RLIMIT_NOFILE leaves, less 64 for the rest of the process. Descriptors for paths that are requested later
  /// are additional.
  public var descriptorBudget: Int?
  /// The number of threads that may work on one extraction, including the calling one; 1 starts none. `nil`: as many as the
  /// process has processors (sched_getaffinity(2)), or a part of them while other extractions run (``ExtractionPool``). With
  /// ``ExtractionLimits/ratio`` it is always one, and never more than 64, or four for each processor if that is more. Entries,
  /// errors and limits do not depend on it.
  public var parallelism: Int?
  /// Which of two entries with the same name wins.
  public var duplicates = Duplicates.last
  /// Whether the files may be executed (execve(2)); if not, they carry F_SEAL_EXEC on Linux 6.3 and later. A shared
  /// object can be loaded by dlopen(3) either way.
  public var executable = false
  /// The permissions of all files, as chmod(1) writes them: 0o600. Bits to execute need ``executable`` too.
  ///
  /// `nil`: those of the entry without the bits to write, which the seals forbid anyway, and always readable by the owner, the
  /// user: 0600 becomes 0400. With ``executable`` whoever may read a file may execute it: 0755 and 0644 become 0555. Where
  /// the archive has none, 0444, or 0555 with ``executable``. In a tree an entry keeps its bits to write.
  public var mode: UInt16?
  /// What to do with links that lead out of the archive, lead nowhere or are circular.
  public var brokenLinks = BrokenLinks.keep
  /// What to do in a tree with symbolic links that lead out of it.
  public var outwardLinks = OutwardLinks.leaveOut
  /// Whom the files of a tree belong to.
  public var owner = Owner.user
  /// What to do with names that lead out of the archive.
  public var insecureNames = InsecureNames.keep
  /// What to do with entries of a zip that overlap.
  public var overlappingEntries = OverlappingEntries.reject
  /// Whether a zip that arrives is read before its directory is there.
  public var arrivingZips = ArrivingZips.whole
  /// Passphrases to try, in this order, on encrypted entries.
  public var passphrases: [String]
  /// What to do when an entry is damaged or cannot be read.
  public var onError: ErrorPolicy
  /// The character set of names that are not UTF-8, as iconv(3) calls it: "CP437", "SHIFT_JIS", "GBK". `nil` keeps
  /// their bytes, see ``ArchiveEntry/name``.
  public var encoding: String?
  /// Whether the archive is read by a worker, a process of its own that cannot open, send or execute anything and returns
  /// sealed files; see <doc:TheSandbox>. Off by default. A stream other than a pipe(7), such as a socket, is copied to memory
  /// first.
  public var sandbox: Sandbox
  /// The worker program; `nil` searches for it, see <doc:TheSandbox>.
  public var worker: String?
  /// What this extraction shares with others at the same time: threads, memory and the template of workers.
  public var pool = ExtractionPool.shared
  /// The time that the extraction may take in all, including archives inside the archive and the work after reading;
  /// then it ends with ``ArchiveError/Code/timedOut``. A worker is killed, whatever it is doing. Without a sandbox the
  /// deadline is checked whenever more of the archive is read, between blocks and in every loop of this library; it cannot
  /// interrupt a loop inside libarchive that reads nothing, which some archives cause. `nil`: no time limit.
  public var timeout: Duration?
  /// Called while an archive is read, at most ten times a second, on the thread that reads.
  public var onProgress: (@Sendable (Progress) -> Void)?
  /// Is told of the extraction once it has ended.
  public var observer: (any ExtractionObserver)?

  /// Upper bound of threads, including the calling one.
  package var threads: Int { max(1, parallelism ?? SystemCalls.processorCount()) }

  /// More bring nothing, and the system may refuse them.
  static var mostThreads: Int { max(64, 4 * SystemCalls.processorCount()) }

  /// Whether links that lead out of a tree stay in it.
  var keepsOutwardLinks: Bool { outwardLinks == .keep && insecureNames == .keep }

  /// Whether extraction continues after an entry's error.
  func continues(after error: ArchiveError) -> Bool { onError == .keepGoing && error.concernsArchive }

  /// What is set most often; each other option is a variable.
  ///
  /// By default: default limits, the standard formats, archives inside the archive are files, nothing is returned when
  /// something is wrong, no sandbox, no time limit.
  public init(
    limits: ExtractionLimits = ExtractionLimits(), formats: ArchiveFormats = .standard,
    nestedArchives: NestedArchives = .keep, passphrases: [String] = [], onError: ErrorPolicy = .stop,
    sandbox: Sandbox = .off, timeout: Duration? = nil
  ) {
    self.limits = limits
    self.formats = formats
    self.nestedArchives = nestedArchives
    self.passphrases = passphrases
    self.onError = onError
    self.sandbox = sandbox
    self.timeout = timeout
  }

  /// The defaults with the changes that `configure` makes, in any order:
  /// `ExtractionOptions { $0.storage = .packed }`.
  ///
  /// - Throws: What `configure` throws.
  public init<Failure: Error>(_ configure: (inout Self) throws(Failure) -> Void) throws(Failure) {
    self.init()
    try configure(&self)
  }
}

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
      ("limits", "\(limits)"), ("formats", "[\(formats)]"),
      ("unmatchedSelection", "\(unmatchedSelection)"), ("nestedArchives", "\(nestedArchives)"),
      ("fill", "\(fill)"), ("storage", "\(storage)"),
      ("descriptorBudget", text(descriptorBudget)), ("parallelism", text(parallelism)),
      ("duplicates", "\(duplicates)"), ("executable", "\(executable)"),
      ("mode", mode.map { "0o" + String($0, radix: 8) } ?? "nil"), ("brokenLinks", "\(brokenLinks)"),
      ("outwardLinks", "\(outwardLinks)"), ("owner", "\(owner)"), ("insecureNames", "\(insecureNames)"),
      ("overlappingEntries", "\(overlappingEntries)"), ("arrivingZips", "\(arrivingZips)"),
      ("passphrases", "\(passphrases.count), not shown"),
      ("onError", "\(onError)"), ("encoding", text(encoding)), ("sandbox", "\(sandbox)"),
      ("worker", text(worker)), ("pool", pool === ExtractionPool.shared ? "shared" : "another"),
      ("timeout", text(timeout)), ("onProgress", onProgress == nil ? "nil" : "set"),
      ("observer", observer == nil ? "nil" : "set"),
    ]
    return shown.map { (label: $0.0, value: PlainText.escaped($0.1)) }
  }
}

extension ExtractionOptions {
  /// The progress of an extraction.
  public struct Progress: Hashable, Sendable {
    /// Bytes of the archive read so far.
    public let bytesRead: Int64
    /// Bytes of the archive in all; `nil` for a pipe.
    public let bytesTotal: Int64?
    /// Entries read so far.
    public let entries: Int
    /// The name of the current entry.
    public let entry: String

    /// The part of the archive that has been read, 0 to 1; `nil` for a pipe.
    public var fraction: Double? {
      bytesTotal.map { $0 > 0 ? min(1, Double(bytesRead) / Double($0)) : 1 }
    }
  }
}
