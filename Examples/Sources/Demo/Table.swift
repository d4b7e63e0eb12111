import MemArchive

/// Prints name, size, path and seals of each file.
func printTable(of files: MemFiles) throws {
  let width = files.map(\.name.count).max() ?? 0
  for (name, file) in files {
    let seals = try file.seals
    guard seals.isSuperset(of: .final) else { throw Failure("\(name) is not sealed: \(seals)") }
    let path = try file.withPath { $0 }
    print("     \(padded(name, to: width))  \(aligned(file.size, to: 6)) bytes  \(path)  \(seals)")
  }
}

func padded(_ text: String, to width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

private func aligned(_ number: Int, to width: Int) -> String {
  let digits = String(number)
  return String(repeating: " ", count: max(0, width - digits.count)) + digits
}
