import ArgumentParser
import Libc
import MemArchive
import SystemPackage

/// Which image of an archive is meant.
struct ImageChoiceOptions: ParsableArguments {
  @Option(
    name: .customLong("tag"),
    help: ArgumentHelp("The image of this name, of several in the archive.", valueName: "name"))
  var tag: String?

  @Option(
    name: .customLong("platform"),
    help: ArgumentHelp(
      """
      The image has to be for this platform, such as linux/arm64. By default it is this machine's of several, or the only \
      one there is.
      """, valueName: "platform"), transform: Self.platform)
  var platform: ContainerImage.Platform?

  private static func platform(_ text: String) throws -> ContainerImage.Platform {
    guard let platform = ContainerImage.Platform(text) else {
      throw ValidationError("A platform is written as linux/amd64, or linux/arm/v7.")
    }
    return platform
  }

  func validate(isImage: Bool) throws {
    for (name, isGiven) in [("--tag", tag != nil), ("--platform", platform != nil)] where isGiven && !isImage
    {
      throw ValidationError("\(name) needs --image.")
    }
  }
}

/// The options of `run --image`.
struct RunImageOptions: ParsableArguments {
  @Flag(name: .customLong("image"), help: "The archive is a container image, in which the command runs.")
  var isWanted = false
  @OptionGroup var choice: ImageChoiceOptions

  func validate() throws { try choice.validate(isImage: isWanted) }
}

extension Archive {
  /// The image that it holds.
  func image(_ choice: ImageChoiceOptions) throws(ArchiveError) -> ContainerImage {
    try ContainerImage(reader, tag: choice.tag, platform: choice.platform, in: context)
  }

  /// Reports what its tree lacks and what was odd, but not its devices: a command sees the system's in their place.
  func report(leftOut skipped: [ArchiveWarning], _ warnings: [ArchiveWarning], _ options: ReadingOptions) {
    let missing = skipped.filter { warning in
      !["dev/", "./dev/"].contains { warning.entry?.hasPrefix($0) ?? false }
    }
    report(missing.map(\.asLeftOut) + warnings, options)
  }
}

extension RunCommand {
  /// Executes the command in a container image.
  func runImage() throws {
    let changes = try tree.changes.map { try ChangeList($0) }
    let archive = try Self.beforeCommand {
      try Archive.opened(self.archive, isSelected: true, options)
    }
    do {
      // Only a process with a single thread can enter a user namespace.
      try MountedTree.enterNamespace()
      let image = try archive.image(self.image.choice)
      let words = try words(of: image)
      let context = archive.context.changed {
        $0.outwardLinks = .keep
        $0.owner = MountedTree.knowsOtherUsers ? .archive : .user
      }
      // Any directory, because the tree takes the place of all.
      var mounted = try MountedTree(at: try Self.anyDirectory(), nested: .keep, in: context)
      let user = try mounted.add(image)
      try mounted.attach(writable: true)
      archive.report(leftOut: mounted.skipped, mounted.warnings, options)
      ExtractionPool.shared.end()
      try FollowedCommand(changes, nil).follow(mounted)
      try MountedTree.enterRoot(
        at: mounted.place, directory: image.configuration.absoluteDirectory, as: user)
      Self.setEnvironment(image.configuration.environment, home: user.home)
      throw Execution.imageCommand(named: ArchiveEntry.name(raw: words[0]), words, platform: image.platform)
    } catch let error as ArchiveError {
      _ = archive.report(error)
      throw ExitStatus.beforeCommand
    }
  }

  /// The program and its arguments, as docker(1) combines them.
  private func words(of image: ContainerImage) throws -> [[UInt8]] {
    let configuration = image.configuration
    func texts(_ words: [String]) -> [[UInt8]] { words.map { Array($0.utf8) } }
    let entrypoint = program.map { [ArchiveEntry.rawName(of: $0)] } ?? texts(configuration.entrypoint)
    let own = program == nil ? texts(configuration.command) : []
    let words = entrypoint + (command.isEmpty ? own : command.map { ArchiveEntry.rawName(of: $0) })
    guard !words.isEmpty else {
      Diagnostics.report("\(archive): the image has no command of its own: give one after --.")
      throw ExitStatus.usage
    }
    return words
  }

  private static func anyDirectory() throws -> FilePath {
    for place in ["/mnt", "/media", "/srv", "/tmp", "/usr", "/etc"] as [FilePath] {
      if let resolved = try? place.resolvedDirectory(), resolved != "/" { return resolved }
    }
    Diagnostics.report("the system has no directory to mount the image on: make /mnt.")
    throw ExitStatus.beforeCommand
  }

  /// The image's variables, and what a program expects besides; nothing of the caller's but the kind of terminal.
  private static func setEnvironment(_ variables: [String], home: String) {
    var environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home]
    environment["TERM"] = unsafe getenv("TERM").map { unsafe String(cString: $0) }
    for variable in variables {
      let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else { continue }
      environment[String(parts[0])] = String(parts[1])
    }
    clearenv()
    for (name, value) in environment { unsafe setenv(name, value, 1) }
  }
}

extension ContainerImage.Configuration {
  /// The working directory as a path from the root.
  fileprivate var absoluteDirectory: String {
    workingDirectory.hasPrefix("/") ? workingDirectory : "/" + workingDirectory
  }
}
