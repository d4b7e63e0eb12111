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
  /// Whether a virtual machine gives large pieces of free memory back to its host, which has to find them again, page
  /// by page, at the next use: a huge page that lay idle for seconds then takes thirty times as long as a warm one.
  let freeMemoryIsReturned: Bool

  init() {
    let platform = PlatformReport()
    kernel = platform.kernel
    libraries = platform.libraries
    processor = Self.field("model name", of: "/proc/cpuinfo") ?? "unknown"
    cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    fileSystems = Dictionary(
      uniqueKeysWithValues: ["/tmp", "/dev/shm"].map { ($0, Self.fileSystem(of: $0)) })
    freeMemoryIsReturned = Self.reportsFreePages
    let choices = Self.lines(of: "/sys/kernel/mm/transparent_hugepage/shmem_enabled").first ?? ""
    hugePages =
      choices.split(separator: " ").first { $0.hasPrefix("[") }.map { String($0.dropFirst().dropLast()) }
      ?? "unknown"
  }

  /// The type of the innermost mount that `directory` lies on, proc_pid_mounts(5), and what makes it unusual.
  private static func fileSystem(of directory: String) -> String {
    let mounts = lines(of: "/proc/self/mounts").map { $0.split(separator: " ") }.filter { $0.count > 2 }
    let above = mounts.filter { $0[1] == "/" || directory == $0[1] || directory.hasPrefix($0[1] + "/") }
    // The last of two mounts on one point hides the other.
    guard let mount = above.reversed().max(by: { $0[1].count < $1[1].count }) else { return "unknown" }
    var description = String(mount[2])
    let device = mount[0].split(separator: "/").last.map(String.init) ?? ""
    if device.hasPrefix("loop") { description += " on a loop device" }
    // Without a journal, ext4 looks at each inode deleted in the last minutes before it takes one: thousands of
    // temporary files then cost many times what they cost elsewhere.
    let options = lines(of: "/proc/fs/ext4/\(device)/options")
    if !options.isEmpty {
      description += options.contains { $0.hasPrefix("data=") } ? " with a journal" : " without a journal"
    }
    return description
  }

  /// Virtio's memory balloon is device 5, and VIRTIO_BALLOON_F_REPORTING its feature 5. Other hypervisors don't say.
  private static var reportsFreePages: Bool {
    (0..<64).contains { number in
      let device = "/sys/bus/virtio/devices/virtio\(number)/"
      guard lines(of: device + "device").first == "0x0005" else { return false }
      return lines(of: device + "features").first?.dropFirst(5).first == "1"
    }
  }

  private static func field(_ name: String, of path: String) -> String? {
    for line in lines(of: path) where line.hasPrefix(name) {
      return line.split(separator: ":", maxSplits: 1).last.map { String($0.drop { $0 == " " }) }
    }
    return nil
  }

  /// The lines of a small file, as those of /proc are; none when it cannot be read.
  static func lines(of path: String) -> [String] {
    guard let file = unsafe fopen(path, "r") else { return [] }
    defer { unsafe _ = fclose(file) }
    var text = [UInt8](repeating: 0, count: 64 << 10)
    let count = unsafe fread(&text, 1, text.count, file)
    return String(decoding: text[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
