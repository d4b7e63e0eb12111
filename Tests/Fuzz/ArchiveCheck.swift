import MemArchive

/// Any input: returned files keep their promises.
enum ArchiveCheck {
  static func run(_ input: [UInt8]) {
    var options = ExtractionOptions.fuzzing
    options.onError = .keepGoing
    options.nestedArchives = .expand
    // What is read without libarchive.
    options.formats.formUnion([.cab, .lha, .warc])
    guard let files = try? ArchiveReader(bytes: input).extract(options: options) else {
      return
    }
    var held = 0
    for (name, file) in files {
      guard files[name] === file else { report("\"\(name)\" is not found under its name") }
      guard file.content.count == file.size else { report("\"\(name)\" has another size than its content") }
      guard let seals = try? file.seals, seals.isSuperset(of: .final) else {
        report("\"\(name)\" is not sealed")
      }
      held = max(held, file.size)
    }
    guard held <= 1 << 22 else { report("\(held) bytes in one file, beyond the limit") }
  }
}
