import Glibc
import MemArchive

// Extracts an archive, and those in it, by the library in a program that is its own worker, and prints the result:
// `KernelHost off|auto|required ARCHIVE`.
MemArchiveWorker.runIfRequested()

let sandboxes: [String: ExtractionOptions.Sandbox] = [
  "off": .off, "auto": .bestEffort, "required": .required,
]
guard CommandLine.arguments.count == 3, let sandbox = sandboxes[CommandLine.arguments[1]] else { exit(2) }
do {
  let files = try ArchiveReader(path: CommandLine.arguments[2])
    .extract(options: ExtractionOptions(nestedArchives: .expand, sandbox: sandbox))
  for warning in files.warnings { say("warning: \(warning)") }
  for (name, file) in files.sorted(by: { $0.name < $1.name }) {
    print(name, file.size, try file.withBytes { String(sum($0), radix: 16) })
  }
} catch {
  say("\(error)")
  exit(1)
}

/// FNV-1a.
func sum(_ bytes: RawSpan) -> UInt64 {
  unsafe bytes.withUnsafeBytes {
    unsafe $0.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

func say(_ text: String) {
  let line = text + "\n"
  unsafe _ = write(STDERR_FILENO, line, line.utf8.count)
}
