import CLinux
import MemArchive
import SystemPackage

/// Entries that are passed to a command.
struct PassedFiles {
  /// What each reference is for the command: a path, or a number.
  private(set) var values: [PathTemplate.Reference: [UInt8]] = [:]

  /// A process that keeps files for a command.
  struct Holder {
    /// A process whose end it waits for too.
    let other: Int32?
  }

  /// - Parameter holder: Keeps the files open; otherwise the command inherits them.
  init(
    _ references: [PathTemplate.Reference], of files: MemFiles, by holder: Holder?
  ) throws(ArchiveError) {
    // One descriptor for each name, however often it is used.
    var numbers: [NameKey: Int32] = [:]
    for reference in references where numbers[reference.key] == nil {
      guard let file = files[reference.name] else { continue }
      _ = try file.path
      // Duplicates without close-on-exec outlive this program; everything else closes when the command starts.
      numbers[reference.key] =
        try holder == nil ? file.duplicate(closeOnExec: false).rawValue : file.fileDescriptor.rawValue
    }
    let directory = try Self.directory(of: Array(numbers.values), holder)
    for reference in references {
      guard let number = numbers[reference.key] else { continue }
      values[reference] =
        switch reference.form {
        case .path: Array("\(directory)/\(number)".utf8)
        case .number: Array("\(number)".utf8)
        case .named(let name): try Self.path(named: name, to: "\(directory)/\(number)", holder)
        }
    }
  }

  /// A path that ends in this name, of a link to the other.
  private static func path(
    named name: String, to target: String, _ holder: Holder?
  ) throws(ArchiveError) -> [UInt8] {
    let tree = try MemTree(links: [(name, target, nil)])
    let number = try holder == nil ? tree.duplicate().rawValue : tree.fileDescriptor.rawValue
    return Array("\(try directory(of: [number], holder))/\(number)".utf8)
      + (try tree.pathBelow(to: name))
  }

  /// The directory in /proc where a command finds these descriptors.
  private static func directory(of numbers: [Int32], _ holder: Holder?) throws(ArchiveError) -> String {
    guard let holder, !numbers.isEmpty else { return "/proc/self/fd" }
    return "/proc/\(try hold(numbers, holder))/fd"
  }

  /// Starts a process that keeps the descriptors; returns its process ID.
  private static func hold(_ numbers: [Int32], _ holder: Holder) throws(ArchiveError) -> Int32 {
    var token: Int32 = -1
    let process = unsafe clinux_hold(numbers, numbers.count, holder.other ?? 0, &token)
    guard process > 0 else {
      let error = Errno(rawValue: Execution.lastError)
      throw ArchiveError(
        .system, "no process could be started to keep the files",
        call: error == .noSuchProcess ? "pidfd_open" : "clone",
        errno: error,
        advice: error == .noSuchProcess
          ? "Give --hold= the number of a process that runs."
          : "Omit --hold, or raise the limit on processes (ulimit -u)."
      )
    }
    return process
  }
}
