public import Libc
internal import SealedMemory
internal import SystemPackage

extension MemFile {
  /// Lets a child that posix_spawn(3) starts inherit this file, and returns the path under which the child finds it.
  ///
  /// ```swift
  /// var actions = posix_spawn_file_actions_t()
  /// posix_spawn_file_actions_init(&actions)
  /// let path = try file.addToFileActions(&actions)
  /// posix_spawnp(&pid, "fluidsynth", &actions, nil, [strdup("fluidsynth"), strdup(path), nil], environ)
  /// withExtendedLifetime(file) {}
  /// ```
  ///
  /// Only that child inherits it: in this process the descriptor stays close-on-exec, so that children started by other
  /// threads meanwhile do not. The file must be alive until posix_spawn has returned. Actions are carried out in the order in
  /// which they were added: later actions must not reuse the number for something else.
  ///
  /// swift-subprocess takes no file actions on Linux and closes all descriptors except the standard streams: give it
  /// ``externalPath``, or a ``duplicate(closeOnExec:)`` as standard input.
  ///
  /// - Parameters:
  ///   - actions: Initialized with posix_spawn_file_actions_init.
  ///   - number: The descriptor's number in the child; nil for its number in this process.
  /// - Returns: The path in the child, `/proc/self/fd/N`.
  /// - Throws: ``ArchiveError`` with ``ArchiveError/Code/outOfMemory``, or ``ArchiveError/Code/system`` for an
  ///   impossible number; otherwise as ``fileDescriptor``.
  ///
  /// Calls posix_spawn_file_actions_adddup2(3).
  public func addToFileActions(
    _ actions: inout posix_spawn_file_actions_t, as number: CInt? = nil
  ) throws(ArchiveError) -> String {
    let own = try fileDescriptor.rawValue
    // From a number to itself, the child clears close-on-exec (POSIX.1-2024; glibc 2.29).
    let failure = unsafe posix_spawn_file_actions_adddup2(&actions, own, number ?? own)
    guard failure == 0 else {
      throw .system(
        "posix_spawn_file_actions_adddup2", Errno(rawValue: failure), doing: "passing a file to a child",
        entry: name)
    }
    return "/proc/self/fd/\(number ?? own)"
  }

  /// A path that opens this file in other processes: `/proc/PID/fd/N`, where PID is this process's number in the mounted
  /// /proc.
  ///
  /// It is valid while this object **and this process** are alive (see ``path`` for what ends an object's life), for
  /// processes of the same user that see the same /proc and may look at this process (ptrace(2), "Ptrace access mode
  /// checking": a process that is not dumpable, or runs with other privileges, is closed to others).
  ///
  /// - Throws: As ``path``.
  public var externalPath: String {
    get throws(ArchiveError) {
      _ = try path
      let number = try fileDescriptor.rawValue
      do throws(Errno) { return "\(try SystemCalls.descriptorDirectory())/\(number)" } catch {
        throw .noProc("/proc/self", error, file: name)
      }
    }
  }
}
