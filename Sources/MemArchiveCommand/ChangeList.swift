import CLinux
import Libc
import MemArchive
import SystemPackage

/// The file of `run --changes`, opened before the command can hide it.
struct ChangeList {
  private let path: String
  private let descriptor: FileDescriptor

  init(_ path: String) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        RawText.path(ArchiveEntry.rawName(of: path)), .writeOnly,
        options: [.create, .truncate, .closeOnExec], permissions: FilePermissions(rawValue: 0o666))
    } catch {
      Diagnostics.report("cannot write \"\(path)\": \(error)")
      throw ExitStatus.beforeCommand
    }
  }

  /// One line for each change, as `git status --short` has them, with names as in the output of other subcommands.
  fileprivate func write(_ changes: [MemTree.Change]) throws {
    var lines: [UInt8] = []
    for change in changes {
      let letter =
        switch change.kind {
        case .added: "A"
        case .modified: "M"
        case .removed: "D"
        }
      let (name, isEscaped) = NameText.escaped(change.name)
      lines += Array((isEscaped ? "\\\(letter) " : "\(letter) ").utf8) + name + [0x0A]
    }
    do {
      try unsafe lines.withUnsafeBytes { _ = try unsafe descriptor.writeAll($0) }
      try descriptor.close()
    } catch {
      Diagnostics.report("cannot write \"\(path)\": \(error)")
      throw ExitStatus.system
    }
  }
}

/// A command after which something is written of what it has changed.
struct FollowedCommand {
  private let changes: ChangeList?
  private let saved: ArchiveFile?

  init(_ changes: ChangeList?, _ saved: ArchiveFile?) { (self.changes, self.saved) = (changes, saved) }

  /// Returns in a child process, which executes the command, or if nothing is to be written. This process waits for the command,
  /// writes what it has changed and ends as it did.
  func follow(_ mounted: borrowing MountedTree) throws {
    guard changes != nil || saved != nil else { return }
    let command = clinux_fork_command()
    guard command != 0 else { return }
    guard command > 0 else {
      Diagnostics.report("fork: \(Errno(rawValue: Execution.lastError))")
      throw ExitStatus.beforeCommand
    }
    let status = clinux_wait_for_command(command)
    do {
      if let changes { try changes.write(try mounted.changes()) }
      if let saved, status == 0 {
        let contents = try mounted.contents()
        let context = ExtractionContext(ExtractionOptions())
        try saved.write { descriptor throws(ArchiveError) in
          try ArchiveWriter(saved.format).write(contents, to: descriptor, in: context)
        }
      } else if let saved {
        saved.discard()
        Diagnostics.report("\(saved.argument): not written, because the command failed")
      }
    } catch let error as ArchiveError {
      saved?.discard()
      Diagnostics.report("cannot tell what the command has changed: \(error)")
      throw ExitStatus.system
    }
    if status >= 0, status & 0x7F != 0 { clinux_end_by(status & 0x7F) }
    throw ExitStatus(ofCommand: status >> 8 & 0xFF)
  }
}
