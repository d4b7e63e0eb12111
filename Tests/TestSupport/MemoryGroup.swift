import Foundation
import Glibc

/// A control group with so much memory, which a process enters; cgroups(7).
package struct MemoryGroup: Codable {
  private let path: String

  /// Where groups are made: this process's own, by version 1's memory controller or by version 2.
  private static var parent: (path: String, limit: String)? {
    let lines = ((try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? "").split(
      separator: "\n")
    for line in lines {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].split(separator: ",").contains("memory") {
        return ("/sys/fs/cgroup/memory\(fields[2])", "memory.limit_in_bytes")
      }
      // Groups with processes in them have no groups with controllers below them: made beside this one.
      let controllers = try? String(
        contentsOfFile: "/sys/fs/cgroup\(fields[2])/../cgroup.subtree_control", encoding: .utf8)
      if fields[0] == "0", controllers?.contains("memory") == true {
        return ("/sys/fs/cgroup\(fields[2])/..", "memory.max")
      }
    }
    return nil
  }

  /// Not under a sanitizer: what it takes for itself, several times what the process takes, is charged to the group as well.
  package static let isAvailable: Bool = {
    for initializer in ["__asan_init", "__tsan_init"] where dlsym(nil, initializer) != nil { return false }
    guard let group = try? MemoryGroup(bytes: 64 << 20) else { return false }
    group.remove()
    return true
  }()

  package init(bytes: Int) throws {
    guard let parent = Self.parent else { throw POSIXError(.EPERM) }
    path = "\(parent.path)/memarchive-\(UUID().uuidString)"
    guard mkdir(path, 0o755) == 0 else { throw POSIXError(.EPERM) }
    guard write("\(bytes)", to: parent.limit) else {
      rmdir(path)
      throw POSIXError(.EPERM)
    }
  }

  /// Puts this process there.
  package func enter() -> Bool { write("\(getpid())", to: "cgroup.procs") }

  /// ByteString of memfds and tmpfs that are charged to it, whoever holds them.
  package var sharedMemory: Int? {
    text(of: "memory.stat").split(separator: "\n").first { $0.hasPrefix("shmem ") }
      .flatMap { Int($0.dropFirst("shmem ".count)) }
  }

  package func remove() {
    if let parent = Self.parent?.path, text(of: "cgroup.procs").split(separator: "\n").contains("\(getpid())")
    {
      _ = Self(path: parent.contains("memarchive-") ? (parent as NSString).deletingLastPathComponent : parent)
        .write("\(getpid())", to: "cgroup.procs")
    }
    rmdir(path)
  }

  private init(path: String) { self.path = path }

  private func text(of file: String) -> String {
    (try? String(contentsOfFile: "\(path)/\(file)", encoding: .utf8)) ?? ""
  }

  private func write(_ text: String, to file: String) -> Bool {
    let descriptor = open("\(path)/\(file)", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
  }
}
