import CLinux
import MemArchive
import SystemPackage

/// Entries that are passed to a command as paths.
struct PassedFiles {
  /// The path of each name, as seen by the command.
  private(set) var paths: [NameKey: [UInt8]] = [:]

  /// - Parameter held: Whether a separate process keeps the files open; otherwise the command inherits them.
  init(_ names: [String], of files: MemFiles, held: Bool) throws(ArchiveError) {
    var wanted: [(key: NameKey, file: MemFile)] = []
    for name in names {
      let key = NameKey(name)
      guard !wanted.contains(where: { $0.key == key }), let file = files[name] else { continue }
      wanted.append((key, file))
    }
    if held, !wanted.isEmpty {
      let holder = try Self.hold(wanted.map(\.file))
      for (key, file) in wanted {
        paths[key] = Array("/proc/\(holder)/fd/\(try file.fileDescriptor.rawValue)".utf8)
      }
    } else {
      // Duplicates without close-on-exec outlive this program; everything else closes when the command starts.
      for (key, file) in wanted {
        _ = try file.path
        paths[key] = Array("/proc/self/fd/\(try file.duplicate(closeOnExec: false).rawValue)".utf8)
      }
    }
  }

  /// Starts a process that keeps the files open until this one has ended, whatever it executes; returns its process ID.
  private static func hold(_ files: [MemFile]) throws(ArchiveError) -> Int32 {
    var numbers: [Int32] = []
    for file in files {
      _ = try file.path
      numbers.append(try file.fileDescriptor.rawValue)
    }
    let holder = unsafe clinux_hold(numbers, numbers.count)
    guard holder > 0 else {
      throw ArchiveError(
        .system, "no process could be started to keep the files", call: "clone",
        errno: Errno(rawValue: Execution.lastError),
        advice: "Omit --hold, or raise the limit on processes (ulimit -u)."
      )
    }
    return holder
  }
}
