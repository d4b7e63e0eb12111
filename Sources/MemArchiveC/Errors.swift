// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive

/// What a caller is told about an error.
struct ErrorReport {
  let code: memarchive_code
  private let number: Int32
  private let entry: String?
  private let path: String?
  private let reason: String
  private let call: String?
  private let advice: String
  private let message: String
  private let name: String

  init(_ error: any Error) {
    switch error {
    case let error as ArchiveError: self.init(error)
    case let error as InvalidArgument:
      self.init(
        MEMARCHIVE_INVALID_ARGUMENT, 0, error.reason, "Correct the call; memarchive.h says what it takes.")
    case let error as CallbackFailure:
      self.init(MEMARCHIVE_CALLBACK_FAILED, error.number, error.reason, "Ask the callback why.")
    default: self.init(MEMARCHIVE_UNKNOWN, 0, "\(error)", "Report this as a defect of MemArchive.")
    }
  }

  private init(_ code: Int, _ number: Int32, _ reason: String, _ advice: String) {
    self.code = memarchive_code(code)
    name = ErrorNames.own[code] ?? "unknown"
    (self.number, self.reason, self.advice) = (number, reason, advice)
    (entry, path, call) = (nil, nil, nil)
    message = reason + ". " + advice
  }

  init(_ error: ArchiveError) {
    name = "\(error.code)"
    code = ErrorNames.codes[error.code] ?? memarchive_code(MEMARCHIVE_UNKNOWN)
    number = error.errno?.rawValue ?? 0
    (entry, path, reason, call) = (error.entry, error.path, error.reason, error.call)
    advice = error.advice.inOptions
    message = error.description { $0.inOptions }
  }

  func value(in arena: Arena) -> memarchive_error {
    unsafe memarchive_error(
      code: code, error_number: number, code_name: arena.cString(name), entry: arena.name(entry),
      reason: arena.cString(reason), call: arena.cString(call), advice: arena.cString(advice),
      message: arena.cString(message), path: arena.cString(path))
  }

  /// An error that the caller frees.
  func record() -> UnsafeMutablePointer<memarchive_error> {
    let arena = Arena()
    return unsafe arena.record(value(in: arena))
  }
}

private enum ErrorNames {
  /// The number of each code of the library; none ever changes.
  static let codes: [ArchiveError.Code: memarchive_code] = [
    .unrecognizedFormat: MEMARCHIVE_UNRECOGNIZED_FORMAT, .unsupportedFormat: MEMARCHIVE_UNSUPPORTED_FORMAT,
    .unsupportedFeature: MEMARCHIVE_UNSUPPORTED_FEATURE, .corrupt: MEMARCHIVE_CORRUPT,
    .truncated: MEMARCHIVE_TRUNCATED, .passphraseRequired: MEMARCHIVE_PASSPHRASE_REQUIRED,
    .wrongPassphrase: MEMARCHIVE_WRONG_PASSPHRASE, .limitExceeded: MEMARCHIVE_LIMIT_EXCEEDED,
    .tooManyLayers: MEMARCHIVE_TOO_MANY_LAYERS, .noSuchEntry: MEMARCHIVE_NO_SUCH_ENTRY,
    .notAFile: MEMARCHIVE_NOT_A_FILE, .duplicateEntry: MEMARCHIVE_DUPLICATE_ENTRY,
    .linkTargetUnavailable: MEMARCHIVE_LINK_TARGET_UNAVAILABLE, .insecureName: MEMARCHIVE_INSECURE_NAME,
    .cancelled: MEMARCHIVE_CANCELLED, .timedOut: MEMARCHIVE_TIMED_OUT,
    .sandboxUnavailable: MEMARCHIVE_SANDBOX_UNAVAILABLE, .sandboxViolation: MEMARCHIVE_SANDBOX_VIOLATION,
    .workerFailed: MEMARCHIVE_WORKER_FAILED, .nameConflict: MEMARCHIVE_NAME_CONFLICT,
    .nameTooLong: MEMARCHIVE_NAME_TOO_LONG, .descriptorLimit: MEMARCHIVE_DESCRIPTOR_LIMIT,
    .processLimit: MEMARCHIVE_PROCESS_LIMIT, .outOfMemory: MEMARCHIVE_OUT_OF_MEMORY,
    .pathUnavailable: MEMARCHIVE_PATH_UNAVAILABLE, .treeUnavailable: MEMARCHIVE_TREE_UNAVAILABLE,
    .sourceConsumed: MEMARCHIVE_SOURCE_CONSUMED, .untrusted: MEMARCHIVE_UNTRUSTED, .system: MEMARCHIVE_SYSTEM,
    .notVerified: MEMARCHIVE_NOT_VERIFIED, .archiveChanged: MEMARCHIVE_ARCHIVE_CHANGED,
    .sourceFailed: MEMARCHIVE_SOURCE_FAILED,
  ].mapValues { memarchive_code($0) }

  /// The codes that this interface alone has.
  static let own = [
    MEMARCHIVE_OK: "ok", MEMARCHIVE_INVALID_ARGUMENT: "invalidArgument",
    MEMARCHIVE_CALLBACK_FAILED: "callbackFailed", MEMARCHIVE_UNKNOWN: "unknown",
  ]

  /// Never freed, as the caller is told.
  nonisolated(unsafe) static let texts: (arena: Arena, of: [memarchive_code: UnsafePointer<CChar>]) = {
    let arena = Arena()
    var texts: [memarchive_code: UnsafePointer<CChar>] = unsafe [:]
    for (code, number) in codes { unsafe texts[number] = arena.cString("\(code)") }
    for (number, name) in own { unsafe texts[memarchive_code(number)] = arena.cString(name) }
    return unsafe (arena, texts)
  }()
}

extension ArchiveError.Advice {
  /// The advice in the words of memarchive.h.
  fileprivate var inOptions: String {
    switch self {
    case .raiseLimit(.totalBytes): "Raise limit_total_bytes if the archive is trusted."
    case .raiseLimit(.heldBytes): "Raise limit_held_bytes if the archive is trusted."
    case .raiseLimit(.entryBytes): "Raise limit_entry_bytes if the archive is trusted."
    case .raiseLimit(.entries): "Raise limit_entries if the archive is trusted."
    case .raiseLimit(.nameBytes): "Raise limit_name_bytes if the archive is trusted."
    case .raiseLimit(.attributeBytes): "Raise limit_attribute_bytes if the archive is trusted."
    case .raiseLimit(.ratio): "Raise limit_ratio if the archive is trusted."
    case .raiseLimit(.depth): "Raise limit_depth if the archive is trusted, or unpack the outer layers first."
    case .allowFormat: "Add it to the option formats if the archive is trusted."
    case .givePassphrase: "Give the passphrase (the option passphrases)."
    case .allowMoreTime: "Raise timeout_milliseconds if the archive is trusted."
    case .readWithoutSandbox:
      "The sandbox needs it; read the archive without one (the option sandbox) if it is trusted."
    case .readOverlappingEntries: "Read it all the same with allow_overlapping if the archive is trusted."
    case .readZipWhole: "Use nothing that came out, and read it again with arriving_zips 0."
    case .chooseDuplicate: "Choose the first or the last with the option duplicates."
    case .allowInsecureNames: "Leave reject_insecure_names 0 if the entries are not unpacked to a disk."
    case .leaveOutInsecureLinks: "Leave reject_insecure_names 0: the link is then among those left out."
    case .extractWithoutDirectories:
      "Extract it as a file, which needs no directories, or leave the entry out with a selection."
    case .extractWithAnyName:
      "Extract it as a file, which takes any name, or leave the entry out with a selection."
    case .extractWithoutTree:
      "A tree needs Linux 5.12, and a seccomp filter that knows this call: extract files here."
    case .executeFromTree: "Execute it from a tree, or set vm.memfd_noexec to 1 (sysctl(8))."
    case .giveFile: "A pipe gives its bytes once: use a file, or its bytes."
    case .compareName(let similar):
      Self.question(similar) + "List the names; they are compared byte by byte."
    case .comparePattern: "List the names; a pattern is for the whole name."
    case .mountProc: "Mount /proc, or use the file's bytes or descriptor, which need no path."
    case .reportDefect: Self.report(with: "what the platform's description says")
    case .other(let text): text
    }
  }
}

@c(memarchive_error_free)
public func errorFree(_ error: UnsafeMutablePointer<memarchive_error>?) { unsafe Arena.free(error) }

@c(memarchive_code_name)
public func codeName(_ code: memarchive_code) -> CallerText? {
  unsafe ErrorNames.texts.of[code] ?? ErrorNames.texts.of[memarchive_code(MEMARCHIVE_UNKNOWN)]
}
