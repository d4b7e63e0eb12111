import MemArchive

extension ArchiveError.Advice {
  /// The advice in the words of this program: its options and commands in place of the library's API.
  var inOptions: String {
    switch self {
    case .raiseLimit(.totalBytes): "Raise --max-total if the archive is trusted."
    case .raiseLimit(.entryBytes): "Raise --max-entry if the archive is trusted."
    case .raiseLimit(.entries): "Raise --max-entries if the archive is trusted."
    case .raiseLimit(.heldBytes):
      "Free memory, or raise MEMARCHIVE_MEMORY or the memory limit of the control group, whichever is less."
    case .raiseLimit(.depth): "Unpack the outer layers first, with memarchive cat."
    case .raiseLimit(.nameBytes), .raiseLimit(.attributeBytes), .raiseLimit(.ratio):
      "No option of memarchive raises it: have the archive packed again."
    case .allowFormat: "Add it with --formats if the archive is trusted."
    case .givePassphrase: "Give the passphrase (--passphrase-file)."
    case .allowMoreTime: "Allow more time (--timeout) if the archive is trusted."
    case .readWithoutSandbox:
      "The sandbox needs it; read the archive without one (--sandbox off) if it is trusted."
    case .readOverlappingEntries:
      "Read it all the same with --read-overlapping if the archive is trusted."
    case .readZipWhole: "Use nothing that came out, and read it again without --arriving-zip."
    case .chooseDuplicate: "Have the archive packed again with one of them."
    case .allowInsecureNames:
      "Leave --reject-insecure-names out if the entries are not unpacked to a disk."
    case .leaveOutInsecureLinks: "Leave it out by leaving --reject-insecure-names out."
    case .extractWithoutDirectories: "Run the command without --tree: {NAME} alone needs no directories."
    case .extractWithAnyName: "Run the command without --tree: {NAME} alone takes any name."
    case .extractWithoutTree:
      "A tree needs Linux 5.12, and a seccomp filter that knows this call: run the command without --tree here."
    case .executeFromTree:
      "Execute it from a tree of files (run --tree), or set vm.memfd_noexec to 1 (sysctl(8))."
    case .giveFile: "A pipe gives its bytes once: give a file."
    case .compareName(let similar): Self.question(similar) + "See memarchive list."
    case .comparePattern: "See memarchive list; a pattern is for the whole name."
    case .mountProc: "Mount /proc."
    case .reportDefect: Self.report(with: "what memarchive --version says")
    case .other(let text): text
    }
  }
}
