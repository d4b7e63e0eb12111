internal import SealedMemory
public import SystemPackage

/// How entries become files in memory.
public struct ExtractionOptions: Sendable {
  /// How a region of memory is filled.
  public enum Fill: Hashable, Sendable, CaseIterable {
    /// Whatever measures fastest.
    case automatic
    /// ftruncate(2), mmap(2), stream into the mapping, munmap(2), seal.
    case mapped
    /// pwrite(2), seal.
    case written
  }

  /// Where the content of each entry is kept.
  public enum Storage: Hashable, Sendable, CaseIterable {
    /// In a memory file of its own while descriptors are to be had (``ExtractionOptions/descriptorBudget``), packed from
    /// there on: no archive fails because it has many files.
    case automatic
    /// In a sealed memory file of its own: a descriptor each.
    case dedicated
    /// With others in a sealed memory file of up to 16 MiB, a slab, which has no descriptor; content of more than 1 MiB
    /// has one to itself. Three to eight times as fast for small files. A file gets a memory file of its own when it is
    /// first asked for its descriptor or path; a slab lives as long as any file in it, see ``MemFiles/compact()``.
    case packed
  }

  /// What to do when two entries share a name. Each entry that gives way is in ``MemFiles/warnings``.
  public enum Duplicates: Hashable, Sendable, CaseIterable {
    /// The later entry wins, as it would when unpacking to disk.
    case last
    /// The earlier entry wins.
    case first
    /// ``ArchiveError/Code/duplicateEntry``.
    case reject
  }

  /// What to do when something is wrong with an entry.
  public enum ErrorPolicy: Hashable, Sendable {
    /// Throw; nothing is handed out.
    case stop
    /// Hand out what is intact, with the errors in ``MemFiles/errors``. Limits, and what is wrong with the system and not
    /// with the archive, still throw.
    case keepGoing
  }

  /// What to do with names that would lead out of the directory they are unpacked in, see
  /// ``ArchiveEntry/isSafeRelative``. As keys of a dictionary they are harmless.
  public enum InsecureNames: Hashable, Sendable {
    /// Hand the entry out under its name.
    case keep
    /// ``ArchiveError/Code/insecureName``.
    case reject
  }

  /// Where the archive is read: a process can be lost, the host's cannot.
  public enum Sandbox: Hashable, Sendable, CaseIterable {
    /// In this process.
    case off
    /// In a worker with whatever protection can be had, and in this process where no worker can be started: then
    /// ``MemFiles/warnings`` says why.
    case bestEffort
    /// In a worker that can reach nothing, or not at all (``ArchiveError/Code/sandboxUnavailable``).
    case required
  }

  /// What the archive may cost.
  public var limits: Limits
  /// The formats that may be read. One alone pins it, for files that are valid in several.
  public var formats: ArchiveFormats
  /// How memory is filled. Slabs are filled in huge folios with `automatic`, and otherwise written.
  public var fill: Fill
  /// Whether files have memory of their own or share it.
  public var storage: Storage
  /// How many descriptors the files of one extraction may have with ``Storage/automatic``. `nil`: as many as
  /// RLIMIT_NOFILE's soft limit leaves, less 64 for everybody else. Descriptors of paths that are asked for later come on top.
  public var descriptorBudget: Int?
  /// How many threads may work on one extraction, the calling one among them; 1 starts none. `nil`: as many as the process
  /// has processors (sched_getaffinity(2)). With ``Limits/ratio`` it is one. Entries, errors and limits are the same.
  public var parallelism: Int?
  /// Which of two entries with one name wins.
  public var duplicates: Duplicates
  /// Whether the files may be executed (execve(2)); without it they carry F_SEAL_EXEC from Linux 6.3 on. A shared
  /// object can be loaded by dlopen(3) either way.
  public var executable: Bool
  /// Whether a link that leads out of the archive, leads nowhere or is circular is an error
  /// (``ArchiveError/Code/linkTargetUnavailable``); otherwise it is a warning, unless it was selected by name.
  public var strictLinks: Bool
  /// What to do with names that lead out of the archive.
  public var insecureNames: InsecureNames
  /// Passphrases to try, in this order, on encrypted entries.
  public var passphrases: [String]
  /// What to do when an entry is damaged or cannot be read.
  public var onError: ErrorPolicy
  /// The character set of names that are not UTF-8, as iconv(3) calls it: "CP437", "SHIFT_JIS", "GBK". `nil` keeps
  /// their bytes, see ``ArchiveEntry/name``.
  public var encoding: String?
  /// Whether the archive is read by a worker, a process of its own that cannot open, send or execute anything and hands
  /// over sealed files; see <doc:TheSandbox>. Off by default. A pipe that is no pipe(7), a socket say, is copied to memory first.
  public var sandbox: Sandbox
  /// The program to be started as worker; `nil` looks for it, see <doc:TheSandbox>.
  public var worker: FilePath?
  /// How long reading may take, in all, with archives inside the archive and with what is done when all is read;
  /// ``ArchiveError/Code/timedOut`` ends it then. A worker is killed, whatever it is doing. Without a sandbox the time is
  /// looked at whenever the archive is read on, between blocks and in every loop of the library's own; a loop inside
  /// libarchive that reads nothing, to which some archives lead, goes on. `nil`: as long as it takes.
  public var timeout: Duration?
  /// Called while an archive is read, at most ten times a second, on the thread that reads.
  public var onProgress: (@Sendable (ExtractionProgress) -> Void)?

  /// The threads that may work.
  var threads: Int { max(1, parallelism ?? SystemCalls.processorCount()) }

  /// Whether what is intact is still wanted.
  func goesOn(after error: ArchiveError) -> Bool { onError == .keepGoing && error.concernsArchive }

  /// The defaults: the limits' defaults, the standard formats, the fastest fill, the last of two duplicates, not
  /// executable, nothing handed out when something is wrong.
  public init(
    limits: Limits = Limits(), formats: ArchiveFormats = .standard, fill: Fill = .automatic,
    storage: Storage = .automatic, descriptorBudget: Int? = nil, parallelism: Int? = nil,
    duplicates: Duplicates = .last,
    executable: Bool = false, strictLinks: Bool = false,
    insecureNames: InsecureNames = .keep, passphrases: [String] = [],
    onError: ErrorPolicy = .stop, encoding: String? = nil,
    sandbox: Sandbox = .off, worker: FilePath? = nil, timeout: Duration? = nil,
    onProgress: (@Sendable (ExtractionProgress) -> Void)? = nil
  ) {
    self.limits = limits
    self.formats = formats
    self.fill = fill
    self.storage = storage
    self.descriptorBudget = descriptorBudget
    self.parallelism = parallelism
    self.duplicates = duplicates
    self.executable = executable
    self.strictLinks = strictLinks
    self.insecureNames = insecureNames
    self.passphrases = passphrases
    self.onError = onError
    self.encoding = encoding
    self.sandbox = sandbox
    self.worker = worker
    self.timeout = timeout
    self.onProgress = onProgress
  }
}

/// How far an extraction has come.
public struct ExtractionProgress: Hashable, Sendable {
  /// Bytes of the archive read so far.
  public let bytesRead: Int64
  /// Bytes of the archive in all; `nil` for a pipe.
  public let bytesTotal: Int64?
  /// Entries met so far.
  public let entries: Int
  /// The name of the entry at hand.
  public let entry: String
}
