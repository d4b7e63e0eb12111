internal import CLinux
internal import SealedMemory
internal import SystemPackage

// One factory per kind of failure: (call, errno, subject) becomes a sentence here and nowhere else.
extension ArchiveError {
  /// A failed system call. Error numbers that a caller can act on have codes of their own.
  package static func system(
    _ call: String, _ errno: Errno, doing what: String, path: String? = nil, entry: String? = nil
  ) -> Self {
    switch errno {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .tooManyReferences:
      Self(
        .descriptorLimit, path: path, entry: entry, "no descriptor is left while \(what)", call: call,
        errno: errno,
        advice:
          "Raise the limit (ulimit -n), make a tree, or extract or ask for paths of fewer entries at once.")
    case .resourceTemporarilyUnavailable where ["clone", "pthread_create"].contains(call):
      Self(
        .processLimit, entry: entry, "no further process or thread may be started while \(what)", call: call,
        errno: errno,
        advice:
          "Raise the limit (ulimit -u, or pids.max of the control group), or extract fewer archives at once.")
    case .noMemory, .noSpace:
      Self(
        .outOfMemory, path: path, entry: entry, "the system is out of memory while \(what)", call: call,
        errno: errno,
        advice: "Free memory, raise the memory limit of the control group, or extract fewer entries at once.")
    case .fileTooLarge:
      Self(
        .limitExceeded, entry: entry, "the process's file size limit was reached while \(what)", call: call,
        errno: errno, advice: "Raise RLIMIT_FSIZE (ulimit -f), which counts for files in memory too.")
    default:
      Self(
        .system, path: path, entry: entry, "\(what) failed", call: call, errno: errno,
        advice: "Look the error up in the manual page of \(call)(2).")
    }
  }

  /// What kept memory from being had, written or sealed.
  init(_ error: MemoryError, entry: String? = nil) {
    self =
      switch error {
      case .system(let call, let errno, let doing): .system(call, errno, doing: doing, entry: entry)
      case .executableForbidden: .executableForbidden(entry: entry)
      }
  }

  private static func executableForbidden(entry: String?) -> Self {
    Self(
      .system, entry: entry, "this system forbids executable files in memory", call: "memfd_create",
      errno: .permissionDenied,
      advice: .executeFromTree)
  }

  static func cancelled() -> Self {
    Self(.cancelled, "the extraction was cancelled", advice: "Start it again if it is still wanted.")
  }

  static func timedOut(_ reason: String) -> Self {
    Self(.timedOut, reason, advice: .allowMoreTime)
  }

  /// A shortage while a worker was being started, which says nothing about the next worker; nil if `errno` means that the
  /// system permanently lacks something.
  static func exhausted(_ call: String, _ errno: Errno, doing what: String) -> Self? {
    switch errno {
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noSpace, .noBufferSpace, .tooManyUsers:
      .system(call, errno, doing: what)
    // Whether a process or a thread was asked for.
    case .resourceTemporarilyUnavailable: .system("clone", errno, doing: what)
    default: nil
    }
  }

  /// - Parameter part: What is missing, such as "Landlock".
  static func sandboxUnavailable(_ part: String, _ reason: String) -> Self {
    Self(.sandboxUnavailable, "\(part): \(reason)", advice: .readWithoutSandbox)
  }

  static func sandboxViolation(_ reason: String) -> Self {
    Self(
      .sandboxViolation, "the sandboxed worker \(reason), and was killed",
      advice:
        "Do not trust this archive: it, or a defect of MemArchive, made the worker do something that extraction never does."
    )
  }

  /// - Parameter call: The system call's name, if known.
  static func refusedCall(_ call: String?) -> Self {
    let violation = sandboxViolation(
      call.map { "tried the system call \($0), which extraction never makes" }
        ?? "tried a system call that extraction never makes")
    // A C library makes these by itself, for its heap, its locks and its threads.
    let runtime = [
      "futex", "clone", "clone3", "mmap", "mprotect", "mremap", "madvise", "brk", "munmap", "set_robust_list",
      "rseq", "sched_getaffinity", "rt_sigprocmask", "rt_sigaction",
    ]
    guard call.map({ runtime.contains($0) }) ?? true else { return violation }
    return Self(.sandboxViolation, violation.reason, advice: .reportDefect)
  }

  static func workerFailed(_ reason: String) -> Self {
    Self(
      .workerFailed, "the sandboxed worker \(reason)",
      advice:
        "The archive may have been crafted to crash its reader; this process and its files are unharmed.")
  }

  package static func open(_ path: String, _ errno: Errno) -> Self {
    guard errno == .noSuchFileOrDirectory || errno == .permissionDenied || errno == .isDirectory else {
      return .system("open", errno, doing: "opening it", path: path)
    }
    return Self(
      .system, path: path, "cannot be opened", call: "open", errno: errno,
      advice: "Check the path and its permissions; an archive must be a file or a pipe.")
  }

  static func consumed(_ path: String) -> Self {
    Self(.sourceConsumed, path: path, "it is a pipe that has already been read", advice: .giveFile)
  }

  /// - Parameter reason: What an archive's source did, as a sentence about "it".
  package static func sourceFailed(_ reason: String, errno: Errno? = nil) -> Self {
    Self(
      .sourceFailed, "the archive's source failed: \(reason)", errno: errno,
      advice: "Read the archive again once its source can be read.")
  }

  static func unrecognized(withoutLibArchive: Bool = false) -> Self {
    let reason = "this is not an archive that MemArchive reads"
    let check = "Check that the file is complete and is not encrypted as a whole"
    guard withoutLibArchive else { return Self(.unrecognizedFormat, reason, advice: .other(check + ".")) }
    return Self(
      .unrecognizedFormat, reason + " without libarchive",
      advice: .other(check + ", or install libarchive, which may know it (on Debian: libarchive13)."))
  }

  static func refused(_ format: String) -> Self {
    Self(
      .unsupportedFormat, "\(format) is not read",
      advice: "Decompress it with its own program first, and read the result.")
  }

  static func disallowed(_ format: ArchiveFormats) -> Self {
    Self(
      .unsupportedFormat,
      "the format \(format)\(format == .loneFile ? " (a lone compressed file)" : "") is not among the allowed formats",
      advice: .allowFormat)
  }

  static var strippedCpio: Self {
    Self(
      .unsupportedFeature, "the cpio archive has no headers (\"07070X\"): an rpm with files of 4 GiB or more",
      advice: "Unpack it by rpm2archive(8).")
  }

  static func corrupt(_ reason: String, entry: String? = nil, call: String? = nil) -> Self {
    Self(
      .corrupt, entry: entry, reason, call: call, advice: "Fetch the archive again, or ask its author.")
  }

  /// - Parameter reason: What is not decoded.
  static func changed(entry: String? = nil) -> Self {
    Self(
      .archiveChanged, entry: entry, "the archive has changed since it was listed",
      advice: .other("List it again."))
  }

  static func unsupportedMethod(_ reason: String, call: String? = nil) -> Self {
    Self(
      .unsupportedFeature, reason, call: call,
      advice: "Repack the archive with a common method, such as deflate, xz or zstd.")
  }

  static func passphraseRequired(_ reason: String, call: String? = nil) -> Self {
    Self(.passphraseRequired, reason, call: call, advice: .givePassphrase)
  }

  static func wrongPassphrase(_ reason: String, entry: String? = nil, call: String? = nil) -> Self {
    Self(
      .wrongPassphrase, entry: entry, reason, call: call,
      advice: "Check the passphrase, and whether it is the right archive.")
  }

  static func nulInName(_ name: String) -> Self { corrupt("the name contains a NUL byte", entry: name) }

  package static func truncated(_ reason: String, entry: String? = nil, call: String? = nil) -> Self {
    Self(
      .truncated, entry: entry, reason, call: call,
      advice: "The archive was cut short: fetch it again in full.")
  }

  static func limit(
    _ limit: ExtractionLimits.Name, _ value: Int64, entry: String?, _ what: String
  ) -> Self {
    Self(
      .limitExceeded, entry: entry, "\(what) exceeds the limit \(limit) = \(value)",
      advice: .raiseLimit(limit))
  }

  package static func tooManyLayers(_ depth: Int) -> Self {
    Self(
      .tooManyLayers, "more than \(depth) archives or compressions are wrapped around each other",
      advice: .raiseLimit(.depth))
  }

  static func duplicate(_ name: String) -> Self {
    Self(
      .duplicateEntry, entry: name, "the archive holds two entries of this name",
      advice: .chooseDuplicate)
  }

  static func insecure(_ name: String) -> Self {
    Self(
      .insecureName, entry: name, "the name leads out of the directory it would be unpacked in",
      advice: .allowInsecureNames)
  }

  static func noProc(_ path: String, _ errno: Errno, file name: String) -> Self {
    Self(
      .pathUnavailable, entry: name, "\(path) does not lead to the file", call: "stat", errno: errno,
      advice: .mountProc)
  }

  static func noProc(_ path: String, _ errno: Errno) -> Self {
    Self(
      .pathUnavailable, "\(path) does not lead to the tree", call: "stat", errno: errno,
      advice: .mountProc)
  }

  static func insecureLink(_ name: String, to target: String) -> Self {
    Self(
      .insecureName, entry: name, "the link leads out of the tree, to \"\(target)\"",
      advice: .leaveOutInsecureLinks)
  }

  static func conflict(_ name: String, _ reason: String) -> Self {
    Self(.nameConflict, entry: name, reason, advice: .extractWithoutDirectories)
  }

  static func nameTooLong(_ name: String) -> Self {
    Self(
      .nameTooLong, entry: name,
      "the name is longer than \(EntryPath.longest) bytes, or one of its components than \(EntryPath.longestComponent)",
      advice: .extractWithAnyName)
  }

  /// A system that forbids something that a tree needs, or has not enough of it.
  static func treeUnavailable(call: String, _ errno: Errno) -> Self {
    if [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory].contains(errno) {
      return .system(call, errno, doing: "making a file system in memory")
    }
    let advice: Advice =
      switch (call, errno) {
      case (_, .noFunction): .extractWithoutTree
      case ("clone", .noSpace), ("unshare", .noSpace), ("clone", .tooManyUsers), ("unshare", .tooManyUsers):
        "Raise user.max_user_namespaces with sysctl(8), or run as root."
      case ("clone", _), ("unshare", _):
        """
        Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, Docker's \
        --security-opt seccomp=…), or run as root.
        """
      case ("setgroups", .noSuchFileOrDirectory), ("uid_map", .noSuchFileOrDirectory),
        ("gid_map", .noSuchFileOrDirectory):
        "Mount /proc."
      case ("uid_map", .notPermitted):
        """
        Let user 0 keep CAP_SETFCAP, without which the kernel refuses to map it, or run as another user; on Ubuntu, allow \
        user namespaces in AppArmor.
        """
      case ("mount_setattr", .resourceBusy):
        "A child process that was forked in the meantime holds files of the tree open: let it execute its program first."
      case ("fsconfig", .invalidArgument): .raiseLimit(.heldBytes)
      case ("mount", .invalidArgument):
        "The root directory is no mount, as after chroot(8): bind it to itself first (mount --bind DIRECTORY DIRECTORY)."
      case ("mount (overlayfs)", _):
        """
        A tree that takes changes or is of several archives needs overlayfs: the kernel's module overlay, loaded, and Linux \
        5.11 or root.
        """
      default:
        """
        Allow mounting inside user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile \
        with "userns,"), or run with CAP_SYS_ADMIN.
        """
      }
    return Self(
      .treeUnavailable, "the system refuses a private file system in memory", call: call, errno: errno,
      advice: advice)
  }

  /// libarchive converts names by the thread's locale, and the locale C.UTF-8 is a file that a system may lack.
  static func unconvertible(_ reason: String) -> Self {
    guard clinux_has_utf8_locale() == 0 else { return .corrupt(reason, call: "archive_read_next_header") }
    return Self(
      .unsupportedFeature, reason, call: "archive_read_next_header",
      advice: "Install the locale C.UTF-8 (/usr/lib/locale/C.utf8), which converting names from UTF-16 needs."
    )
  }

  /// - Parameter entries: Those that the archive has, for a name that may have been meant.
  static func noSuchEntry(_ name: String, among entries: [ArchiveEntry] = []) -> Self {
    let similar = NearestNames.nearest(to: name, in: entries.lazy.filter { !$0.isDirectory }.map(\.name))
    return Self(
      .noSuchEntry, entry: name, "the archive has no such entry", advice: .compareName(similar: similar))
  }

  static func noMatch(_ patterns: [Glob]) -> Self {
    let patterns = patterns.map { "\"\($0.text)\"" }.joined(separator: " or ")
    return Self(
      .noSuchEntry, "no entry's name matches \(patterns)",
      advice: .comparePattern)
  }

  static var unavailablePrefix: String { "the link leads to no file: " }

  /// The reason for a link without a file whose target is itself among the errors.
  static func targetFailed(_ name: String) -> String { "its target \"\(name)\"" + targetFailedSuffix }

  static let targetFailedSuffix = " could not be extracted"

  /// Why a link leads to no file whose target was not selected, and has gone by in a pipe.
  static func targetGoneBy(_ name: String) -> String {
    "its target \"\(name)\" had gone by when the link was met" + targetGoneBySuffix
  }

  private static let targetGoneBySuffix = ", and a pipe cannot be read again"

  package static func unavailable(_ link: String, _ why: String) -> Self {
    Self(
      .linkTargetUnavailable, entry: link, unavailablePrefix + why,
      advice: why.hasSuffix(targetGoneBySuffix)
        ? "Select the target itself, or give the archive as a file."
        : "Leave the link out, or ask whoever made the archive for what it should lead to.")
  }

  static func notAFile(_ entry: ArchiveEntry) -> Self {
    Self(
      .notAFile, entry: entry.name, "a \(entry.kind) has no content",
      advice: "Ask only for regular files and for links to them.")
  }
}
