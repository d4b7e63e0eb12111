import ArgumentParser
import FoundationEssentials
import Glibc
import MemArchive

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the entries: kind, size in bytes, time (UTC), name.",
    discussion: """
      With --json, prints one object per line: {"name", "kind", "size", "mtime", "mode", "link"}. kind is file, \
      directory, symlink, hardlink, fifo, socket, character or block; size is in bytes; mtime is seconds since 1970; \
      mode is octal text; fields that the archive does not have are left out. A byte b of a name that is not UTF-8 is \
      represented as U+F700+b.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Flag(name: .long, help: "Print one JSON object per line.")
  var json = false
  @OptionGroup var options: WalkOptions

  func run() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let status = try Archive(archive, options.reading).walk(options, .headers) { entry, _, _ in
      if json {
        try Output.write(JSONLine.bytes(Row(entry), by: encoder))
      } else {
        try Output.write(line(entry))
      }
    }
    if status != .done { throw status }
  }

  private struct Row: Encodable {
    let name, kind: String
    let mode: String?
    let size, mtime: Int64?
    let link: String?

    init(_ entry: ArchiveEntry) {
      name = entry.name
      kind = entry.kind.rawValue
      size = entry.size
      mtime = entry.modified?.seconds
      mode = entry.mode.map { mode in
        let octal = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - octal.count)) + octal
      }
      link = entry.link
    }
  }

  private func line(_ entry: ArchiveEntry) -> [UInt8] {
    func padded(_ text: String, _ width: Int, left: Bool) -> String {
      let space = String(repeating: " ", count: max(0, width - text.count))
      return left ? text + space : space + text
    }
    var line = padded(entry.kind.rawValue, 9, left: true) + " "
    line += padded(entry.size.map(String.init) ?? "-", 12, left: false) + "  "
    line += padded(entry.modified.map(time) ?? "-", 20, left: true) + "  "
    var bytes = Array(line.utf8) + NameText.escaped(entry.name).bytes
    if let link = entry.link {
      bytes += Array(" -> ".utf8) + NameText.escaped(link).bytes
    }
    return bytes + [0x0A]
  }

  /// As date(1) prints it, in any century.
  private func time(_ time: ArchiveEntry.Time) -> String {
    var seconds = time_t(time.seconds)
    var parts = unsafe tm()
    guard unsafe gmtime_r(&seconds, &parts) != nil else { return "\(time.seconds)" }
    var text = [CChar](repeating: 0, count: 64)
    let count = unsafe strftime(&text, text.count, "%04Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
