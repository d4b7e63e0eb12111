import ArgumentParser
import Libc
import MemArchive
import SystemPackage

/// The options of `run --tree`.
struct RunTreeOptions: ParsableArguments {
  @Flag(name: .customLong("tree"), help: "Show all entries to the command at real paths, in a private mount.")
  var isWanted = false

  @Option(
    name: .customLong("also"), parsing: .singleValue,
    help: ArgumentHelp("Another archive for the tree. May be repeated.", valueName: "archive"),
    completion: .file())
  var others: [String] = []

  @Option(
    name: .customLong("at"),
    help: ArgumentHelp(
      "The directory to mount the tree on. By default the first empty one of /mnt, /media and /srv.",
      valueName: "directory"),
    completion: .directory)
  var place: String?

  @Flag(
    name: .customLong("merge"),
    help:
      "Put the archives of --also over each other instead of in directories: a name is that of the last that has it."
  )
  var isMerged = false

  @Flag(help: "With --merge, refuse archives that have the same name for anything but directories.")
  var rejectDuplicates = false

  @Option(
    name: .customLong("only"), parsing: .singleValue,
    help: ArgumentHelp(
      "Only entries whose name matches, as in fnmatch(3), and what links among them need. May be repeated.",
      valueName: "glob"))
  var patterns: [Glob] = []

  @Flag(
    name: .customLong("writable"),
    help: "Let the command change files of the tree. The changes are in memory, and gone with the command.")
  var isWritable = false

  @Option(
    name: .customLong("changes"),
    help: ArgumentHelp(
      """
      Write the names of what the command has added (A), modified (M) and deleted (D) to this file. Implies --writable. The \
      command is a child of this process then.
      """, valueName: "file"), completion: .file())
  var changes: String?

  @Option(
    name: .customLong("save"),
    help: ArgumentHelp(
      """
      If the command succeeds, write the tree as it is then to this archive, whose name tells the format: .tar, .tar.gz, \
      .tar.bz2, .tar.xz, .tar.zst, .zip. Implies --writable. The command is a child of this process then.
      """, valueName: "file"), completion: .file())
  var save: String?

  @Option(
    name: .customLong("links"),
    help: ArgumentHelp(
      """
      Symbolic links that lead out of the tree: inside leaves them out; keep makes them, which is for archives whose maker \
      you trust.
      """, valueName: "which"))
  var links: OutwardLinks?

  @Flag(
    name: .customLong("same-owner"),
    help: "Give files to the users and groups whose numbers the archive has. Root only.")
  var keepsOwner = false

  @Option(
    name: .customLong("owner"),
    help: ArgumentHelp(
      "Give all files to this user and group, by number; self is the default.", valueName: "uid:gid"),
    transform: Self.owner)
  var owner: ExtractionOptions.Owner?

  @Flag(name: .customLong("chdir"), help: "Start the command in the tree's directory.")
  var startsInside = false

  /// - Parameter isImage: Whether the archive is an image, whose changes can be listed too.
  func validate(_ first: String, isImage: Bool) throws {
    if changes == "-" {
      throw ValidationError(
        "--changes takes a file; standard output is the command's. A file of this name is ./-.")
    }
    if isWanted {
      var names: Set<NameKey> = []
      for archive in isMerged ? [] : [first] + others
      where !names.insert(.init(Self.directoryName(archive))).inserted {
        throw ValidationError(
          "Two archives are named \"\(Self.directoryName(archive))\": rename or link one.")
      }
      if isMerged, others.isEmpty { throw ValidationError("--merge needs another archive, with --also.") }
      if rejectDuplicates, !isMerged { throw ValidationError("--reject-duplicates needs --merge.") }
      if changes == "-" {
        throw ValidationError(
          "--changes takes a file; standard output is the command's. A file of this name is ./-.")
      }
      if let save, ArchiveWriter.Format(fileName: save) == nil {
        throw ValidationError("--save \(save): \(ArchiveFile.formatHint)")
      }
      if keepsOwner, owner != nil { throw ValidationError("Give one of --same-owner and --owner.") }
      if keepsOwner || (owner ?? .user) != .user, geteuid() != 0 {
        throw ValidationError("Only root can give files to other users: omit --same-owner and --owner.")
      }
      return
    }
    let options = [
      ("--at", place != nil), ("--chdir", startsInside), ("--also", !others.isEmpty), ("--merge", isMerged),
      ("--reject-duplicates", rejectDuplicates), ("--only", !patterns.isEmpty), ("--writable", isWritable),
      ("--changes", changes != nil && !isImage), ("--save", save != nil), ("--links", links != nil),
      ("--same-owner", keepsOwner),
      ("--owner", owner != nil),
    ]
    for (name, isGiven) in options where isGiven { throw ValidationError("\(name) needs --tree.") }
  }

  private static func owner(_ text: String) throws -> ExtractionOptions.Owner {
    if text == "self" { return .user }
    let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
    // The largest one means none, chown(2).
    guard numbers.count == 2, let user = numbers[0], let group = numbers[1], max(user, group) < .max else {
      throw ValidationError("An owner is written as two numbers, such as 1000:1000.")
    }
    return .given(user: user, group: group)
  }

  /// The values of --links.
  enum OutwardLinks: String, CaseIterable, ExpressibleByArgument {
    case inside, keep
  }

  /// The options of the extraction that these are.
  func set(_ options: inout ExtractionOptions) {
    if links == .keep { options.outwardLinks = .keep }
    options.owner = keepsOwner ? .archive : owner ?? .user
    if rejectDuplicates { options.duplicates = .reject }
  }

  var selection: EntrySelection { patterns.isEmpty ? .all : .glob(patterns.map(\.text)) }

  /// Where the entries of one of the archives go.
  func place(of archive: String) -> MountedTree.Place {
    if others.isEmpty { return .top }
    return isMerged ? .merged : .directory(Self.directoryName(archive))
  }

  /// The name of an archive's directory if there are several archives.
  static func directoryName(_ archive: String) -> String {
    if archive == "-" { return "stdin" }
    return archive.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? archive
  }

  /// The tree's mount point, an absolute path without links.
  func resolvedPlace() throws -> FilePath {
    if let place {
      do throws(Errno) {
        let resolved = try RawText.path(ArchiveEntry.rawName(of: place)).resolvedDirectory()
        guard resolved != "/" else { throw .resourceBusy }
        return resolved
      } catch {
        Diagnostics.report("--at \(place): \(error)")
        throw ExitStatus.usage
      }
    }
    for place in ["/mnt", "/media", "/srv"] as [FilePath] {
      guard let resolved = try? place.resolvedDirectory(), Self.isEmpty(resolved) else { continue }
      return resolved
    }
    Diagnostics.report(
      "none of /mnt, /media and /srv is an empty directory: choose a directory for the tree with --at.")
    throw ExitStatus.beforeCommand
  }

  private static func isEmpty(_ directory: FilePath) -> Bool {
    guard let stream = unsafe directory.withPlatformString({ unsafe opendir($0) }) else { return false }
    defer { unsafe _ = closedir(stream) }
    // "." and "..".
    var count = 0
    while count < 3, unsafe readdir(stream) != nil { count += 1 }
    return count < 3
  }
}

extension RunCommand {
  /// Executes the command with all entries in a mount that only the command sees.
  func runInTree(_ arguments: [PathTemplate]) throws {
    let place = try tree.resolvedPlace()
    let changes = try tree.changes.map { try ChangeList($0) }
    let first = try Self.beforeCommand { try Archive(archive, options) }
    let saved = try tree.save.map { try ArchiveFile($0, nil, failing: .beforeCommand) }
    // In the child process, whose exit it is not.
    let process = getpid()
    do {
      // Only a process with a single thread can enter a user namespace.
      try MountedTree.enterNamespace()
      var mounted = try MountedTree(
        at: place, tree.selection, nested: recursive ? .expand : .keep,
        in: first.context.changed {
          $0.mode = mode
          tree.set(&$0)
        })
      for argument in [archive] + tree.others {
        let one =
          argument == first.argument ? first : try Self.beforeCommand { try Archive(argument, options) }
        do throws(ArchiveError) {
          try mounted.add(one.reader, at: tree.place(of: argument))
        } catch {
          _ = one.report(error)
          throw ExitStatus.beforeCommand
        }
      }
      try mounted.attach(writable: tree.isWritable || changes != nil || saved != nil)
      first.report(mounted.skipped.map(\.asLeftOut) + mounted.warnings, options)
      try execute(in: mounted, arguments, first, FollowedCommand(changes, saved))
    } catch let error as ArchiveError {
      if process == getpid() { saved?.discard() }
      _ = first.report(error)
      throw ExitStatus.beforeCommand
    } catch {
      if process == getpid() { saved?.discard() }
      throw error
    }
  }

  private func execute(
    in mounted: borrowing MountedTree, _ arguments: [PathTemplate], _ archive: Archive,
    _ followed: FollowedCommand
  ) throws {
    // A command may run for long, and nothing more is read meanwhile.
    ExtractionPool.shared.end()
    var paths: [PathTemplate.Reference: [UInt8]] = [:]
    let names = [program].compactMap { $0 } + arguments.flatMap(\.references).map(\.name)
    for name in names {
      paths[.init(name)] = mounted.path(of: name).map { RawText.bytes($0) }
    }
    guard names.allSatisfy({ paths[.init($0)] != nil }) else {
      let isMissing = Set(names.map { NameKey($0) })
      if let left = mounted.skipped.first(where: { isMissing.contains(.init($0.entry ?? "")) }) {
        let hint =
          left.text.contains("leads out of the tree")
          ? " --links keep makes such links, for an archive that you trust." : ""
        Diagnostics.report(
          "\(archive.name): entry \"\(left.entry ?? "")\" was left out: \(left.text).\(hint)")
        throw ExitStatus.usage
      }
      var wanted = WantedNames(names)
      for name in names where paths[.init(name)] != nil { wanted.find(name) }
      // What was left out has no path either.
      for entry in mounted.entries
      where !isMissing.contains(.init(entry.name)) && mounted.path(of: entry.name) != nil {
        _ = wanted.take(entry)
      }
      throw wanted.reportMissing(
        in: archive, afterAll: true, for: .tree, recursive: recursive, advice: PathTemplate.advice(command))
    }
    let place = mounted.place
    let isReady = unsafe place.withPlatformString { place in
      unsafe setenv("MEMARCHIVE_ROOT", place, 1) == 0 && (!tree.startsInside || chdir(place) == 0)
    }
    guard isReady else {
      Diagnostics.report("\(place): \(Errno(rawValue: Libc.errno))")
      throw ExitStatus.beforeCommand
    }
    if let libraryPath {
      try LibraryPath.prepend(mounted.path(of: libraryPath), named: libraryPath, of: archive)
    }
    let filled = arguments.map { $0.filled(with: paths) }
    try followed.follow(mounted)
    guard let program, let path = paths[.init(program)] else {
      throw Execution.command(named: command[0], filled)
    }
    throw Execution.script(program, at: path, [path] + filled)
  }
}
