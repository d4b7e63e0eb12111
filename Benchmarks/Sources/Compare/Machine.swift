import Glibc
import MemArchive

/// What the numbers depend on; nothing that tells whose machine it is.
struct Machine: Encodable {
  let kernel: String
  let processor: String
  let cores: Int
  let libraries: [String]
  /// The file system behind each directory that temporary files are made in.
  let fileSystems: [String: String]
  /// /sys/kernel/mm/transparent_hugepage/shmem_enabled: whether memory files get huge pages unasked.
  let hugePages: String

  init() {
    let platform = PlatformReport()
    kernel = platform.kernel
    libraries = platform.libraries
    processor = Self.field("model name", of: "/proc/cpuinfo") ?? Self.field("CPU part", of: "/proc/cpuinfo") ?? "unknown"
    cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    fileSystems = Dictionary(uniqueKeysWithValues: ["/tmp", "/dev/shm"].map { ($0, Self.fileSystem(of: $0)) })
    let choices = Self.lines(of: "/sys/kernel/mm/transparent_hugepage/shmem_enabled").first ?? ""
    hugePages = choices.split(separator: " ").first { $0.hasPrefix("[") }.map { String($0.dropFirst().dropLast()) } ?? "unknown"
  }

  /// The type of the innermost mount that `directory` lies on, proc_pid_mounts(5).
  private static func fileSystem(of directory: String) -> String {
    let mounts = lines(of: "/proc/self/mounts").map { $0.split(separator: " ") }.filter { $0.count > 2 }
    let above = mounts.filter { $0[1] == "/" || directory == $0[1] || directory.hasPrefix($0[1] + "/") }
    // The last of two mounts on one point hides the other.
    return above.reversed().max { $0[1].count < $1[1].count }.map { String($0[2]) } ?? "unknown"
  }

  private static func field(_ name: String, of path: String) -> String? {
    for line in lines(of: path) where line.hasPrefix(name) {
      return line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
    }
    return nil
  }

  private static func lines(of path: String) -> [String] {
    guard let file = unsafe fopen(path, "r") else { return [] }
    defer { unsafe _ = fclose(file) }
    var text = [UInt8](repeating: 0, count: 64 << 10)
    let count = unsafe fread(&text, 1, text.count, file)
    return String(decoding: text[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
