internal import SealedMemory
internal import SystemPackage

/// How much memory an extraction may hold when its caller names no number.
enum MemoryBudget {
  /// Three quarters of what MemAvailable and the control groups of the process leave now, in bytes. The kernel
  /// answers an overrun with SIGKILL, never with an error, so the refusal has to come before.
  ///
  /// - Parameter claimed: Bytes of it that other extractions of this process have claimed.
  static func `default`(claimed: Int64 = 0) -> Int64 {
    let left = [memoryAvailable(), controlGroupLeft()].compactMap { $0 }.min()
    // What others have claimed is gone from what the system has, or will be.
    return min((left ?? 4 << 30) / 4 * 3 + claimed, bound)
  }

  /// What the environment allows this process: of many on one machine each would take three quarters otherwise. What is no
  /// number of bytes allows nothing, as it was meant to allow less than all.
  private static let bound: Int64 =
    Environment.value(Environment.memory).map { ByteCount(argument: $0)?.bytes ?? 0 } ?? .max

  /// MemAvailable of /proc/meminfo, proc(5).
  private static func memoryAvailable() -> Int64? {
    for line in SystemCalls.text(of: "/proc/meminfo").split(separator: "\n")
    where line.hasPrefix("MemAvailable:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int64($0) }.map { $0 << 10 }
    }
    return nil
  }

  /// The least that any control group on the way to the root leaves: version 2 (memory.max, memory.current), or
  /// version 1's memory controller. cgroups(7)
  private static func controlGroupLeft() -> Int64? {
    var least: Int64?
    for line in SystemCalls.text(of: "/proc/self/cgroup").split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isVersion2 = fields[0] == "0" && fields[1].isEmpty
      guard isVersion2 || fields[1].split(separator: ",").contains("memory") else { continue }
      let (root, limit, usage) =
        isVersion2
        ? ("/sys/fs/cgroup", "memory.max", "memory.current")
        : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
      var group = fields[2] == "/" ? "" : String(fields[2])
      while true {
        if let max = number(root + group + "/" + limit), max < unlimited,
          let used = number(root + group + "/" + usage)
        {
          least = min(least ?? .max, Swift.max(0, max - used))
        }
        guard let slash = group.lastIndex(of: "/") else { break }
        group = String(group[..<slash])
      }
    }
    return least
  }

  /// What version 1 says where there is no limit is the greatest number of pages, in bytes: more than 2^62.
  private static let unlimited: Int64 = 1 << 62

  // "max" is no number and no limit.
  private static func number(_ path: String) -> Int64? {
    Int64(SystemCalls.text(of: FilePath(path)).prefix { $0.isNumber })
  }
}
