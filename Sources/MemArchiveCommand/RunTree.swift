import ArgumentParser
import Glibc
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

  @Flag(name: .customLong("chdir"), help: "Start the command in the tree's directory.")
  var startsInside = false

  func validate(_ first: String) throws {
    if isWanted {
      var names: Set<NameKey> = []
      for archive in [first] + others where !names.insert(.init(Self.directoryName(archive))).inserted {
        throw ValidationError(
          "Two archives are named \"\(Self.directoryName(archive))\": rename or link one.")
      }
      return
    }
    if place != nil { throw ValidationError("--at needs --tree.") }
    if startsInside { throw ValidationError("--chdir needs --tree.") }
    if !others.isEmpty { throw ValidationError("--also needs --tree.") }
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
        let resolved = try Self.directory(RawText.path(ArchiveEntry.rawName(of: place)))
        guard resolved != "/" else { throw .resourceBusy }
        return resolved
      } catch {
        Diagnostics.report("--at \(place): \(error)")
        throw ExitStatus.usage
      }
    }
    for place in ["/mnt", "/media", "/srv"] as [FilePath] {
      guard let resolved = try? Self.directory(place), Self.isEmpty(resolved) else { continue }
      return resolved
    }
    Diagnostics.report(
      "none of /mnt, /media and /srv is an empty directory: choose a directory for the tree with --at.")
    throw ExitStatus.beforeCommand
  }

  /// realpath(3) of a directory.
  private static func directory(_ path: FilePath) throws(Errno) -> FilePath {
    guard let resolved = unsafe path.withPlatformString({ unsafe realpath($0, nil) }) else {
      throw Errno(rawValue: Glibc.errno)
    }
    defer { unsafe free(resolved) }
    var status = stat()
    guard unsafe stat(resolved, &status) == 0 else { throw Errno(rawValue: Glibc.errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .notDirectory }
    return unsafe FilePath(platformString: resolved)
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
    let first = try Archive(archive, options)
    do {
      // Only a process with a single thread can enter a user namespace.
      try MountedTree.enterNamespace()
      var mounted = try MountedTree(
        at: place, nested: recursive ? .expand : .keep, in: first.context)
      for argument in [archive] + tree.others {
        let one = argument == first.argument ? first : try Archive(argument, options)
        do throws(ArchiveError) {
          try mounted.add(
            one.reader, named: tree.others.isEmpty ? nil : RunTreeOptions.directoryName(argument))
        } catch {
          _ = one.report(error)
          throw ExitStatus.beforeCommand
        }
      }
      try mounted.attach()
      first.report(mounted.warnings, options)
      try execute(in: mounted, arguments, first)
    } catch let error as ArchiveError {
      _ = first.report(error)
      throw ExitStatus.beforeCommand
    }
  }

  private func execute(
    in mounted: borrowing MountedTree, _ arguments: [PathTemplate], _ archive: Archive
  ) throws {
    var paths: [NameKey: [UInt8]] = [:]
    let names = [program].compactMap { $0 } + arguments.flatMap(\.names)
    for name in names {
      paths[.init(name)] = mounted.path(of: name).map { RawText.bytes($0) }
    }
    guard names.allSatisfy({ paths[.init($0)] != nil }) else {
      var wanted = WantedNames(names)
      for name in names where paths[.init(name)] != nil { wanted.find(name) }
      let isMissing = Set(names.map { NameKey($0) })
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
      Diagnostics.report("\(place): \(Errno(rawValue: Glibc.errno))")
      throw ExitStatus.beforeCommand
    }
    if let libraryPath {
      try LibraryPath.prepend(
        mounted.place.appending(RawText.path(ArchiveEntry.rawName(of: libraryPath)).string))
    }
    let filled = arguments.map { $0.filled(with: paths) }
    guard let program, let path = paths[.init(program)] else {
      throw Execution.command(named: command[0], filled)
    }
    throw Execution.script(program, at: path, [path] + filled)
  }
}
