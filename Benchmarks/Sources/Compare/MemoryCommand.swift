import ArgumentParser
import Glibc
import MemArchive

/// What an extraction costs in memory, in a process that does nothing else.
struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory", abstract: "Measure the memory that one extraction takes.")

  @Argument(help: "The archive.")
  var archive: String

  @Option(name: .long, help: "Where its files are kept.")
  var storage = "automatic"

  func run() throws {
    DescriptorLimit.raise()
    guard let storage = ExtractionOptions.Storage.allCases.first(where: { "\($0)" == storage }) else {
      throw ValidationError("--storage must be automatic, dedicated or packed.")
    }
    let before = Snapshot()
    let watcher = Watcher([Snapshot.heap])
    let files = try ArchiveReader(path: archive).extract(options: .init { $0.storage = storage })
    let heap = Snapshot.heap()
    let peak = watcher.stop()[0]
    let after = Snapshot()
    var seen: Set<ObjectIdentifier> = []
    let bytes = files.names.compactMap { files[$0] }.filter { seen.insert(ObjectIdentifier($0)).inserted }
      .reduce(0) { $0 + $1.size }
    try JSON.print(
      Report(
        files: seen.count, entries: files.entries.count, bytes: bytes,
        peakHeap: max(peak, heap) - before.heap, heap: heap - before.heap,
        content: Snapshot.memoryFiles(), kernel: after.kernel - before.kernel))
  }

  /// All in bytes.
  private struct Report: Encodable {
    let files, entries, bytes: Int
    /// Anonymous memory of the process beyond what it had before: the most at any time, and at the end.
    let peakHeap, heap: Int
    /// Memory behind all files, and by how much the kernel's own grew meanwhile, that of the whole machine: inodes, page
    /// tables.
    let content, kernel: Int
  }
}

/// Memory of the machine and of this process at one moment, in bytes (proc_meminfo(5), proc_pid_status(5)).
private struct Snapshot {
  let heap, kernel: Int

  init() {
    heap = Self.heap()
    kernel = ["Slab", "PageTables"].reduce(0) { $0 + Self.field($1, of: "/proc/meminfo") }
  }

  static func heap() -> Int { field("RssAnon", of: "/proc/self/status") }

  /// What the process's memory files take, stat(2), whether it has them open or mapped; for the latter it must be root
  /// (proc_pid_map_files(5)).
  static func memoryFiles() -> Int {
    var seen: Set<UInt64> = []
    var blocks = 0
    for directory in ["/proc/self/fd", "/proc/self/map_files"] {
      guard let stream = unsafe opendir(directory) else { continue }
      defer { unsafe _ = closedir(stream) }
      while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
          unsafe String(cString: UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))
        }
        let path = "\(directory)/\(name)"
        var target = [UInt8](repeating: 0, count: 16)
        let count = unsafe readlink(path, &target, target.count)
        guard count > 0, String(decoding: target[..<count], as: UTF8.self).hasPrefix("/memfd:") else {
          continue
        }
        var status = stat()
        guard unsafe stat(path, &status) == 0, seen.insert(UInt64(status.st_ino)).inserted else { continue }
        blocks += Int(status.st_blocks)
      }
    }
    return blocks * 512
  }

  private static func field(_ name: String, of path: String) -> Int {
    guard let file = unsafe fopen(path, "r") else { return 0 }
    defer { unsafe _ = fclose(file) }
    var text = [UInt8](repeating: 0, count: 8 << 10)
    let count = unsafe fread(&text, 1, text.count, file)
    for line in String(decoding: text[..<count], as: UTF8.self).split(separator: "\n")
    where line.hasPrefix(name + ":") {
      return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }.map
      {
        $0 << 10
      } ?? 0
    }
    return 0
  }
}
