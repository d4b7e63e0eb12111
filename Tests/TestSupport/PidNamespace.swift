import Glibc

/// A pid namespace of its own, by unshare(1).
package enum PidNamespace {
  /// In front of a command; /proc stays that of the namespace around it.
  package static let command: [ByteString] = ["unshare", geteuid() == 0 ? "-pf" : "-rpf"]
  package static let isPossible = (try? Command(command + ["--mount-proc", "true"]).run())?.end == .exit(0)

  /// Runs a command as a child of a process 1 that waits for it and for nobody else, until it and all that it started have
  /// ended.
  ///
  /// - Returns: The names of the processes that nobody has reaped.
  package static func zombies(after arguments: [ByteString]) throws -> [ByteString] {
    let first: ByteString = """
      import os, subprocess, sys

      def others():
          for name in os.listdir("/proc"):
              if name.isdigit() and name != "1":
                  try:
                      status = open(f"/proc/{name}/stat").read()
                  except OSError:
                      continue
                  yield status[status.index("(") + 1:status.rindex(")")], status[status.rindex(")") + 2]

      subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
      found = list(others())
      while any(state != "Z" for _, state in found):
          os.sched_yield()
          found = list(others())
      for name, _ in found:
          print(name)
      """
    let outcome = try Command(command + ["--mount-proc", "python3", "-c", first] + arguments).run()
    guard outcome.end == .exit(0) else { throw SystemFailure("unshare: \(outcome.errors)", EPERM) }
    return outcome.output.lines
  }
}
