import MemArchive

/// A tar of entries whose names and link targets are the lines of the input, cut to what a header holds: each name's
/// bytes can be recovered, each file is found under its name, and no two names become one.
enum NameCheck {
  static func run(_ input: [UInt8]) {
    let encodings: [String?] = [nil, "CP437", "SHIFT_JIS", "UTF-16LE", "ISO-2022-JP"]
    var lines = input.dropFirst().split(separator: 10, omittingEmptySubsequences: false).prefix(40).map {
      Array($0.prefix { $0 != 0 }.prefix(99))
    }
    lines.removeAll(where: \.isEmpty)
    var archive: [UInt8] = []
    var files: Set<[UInt8]> = []
    for (index, line) in lines.enumerated() {
      let isLink = index % 3 == 2
      archive += header(line, link: isLink ? lines[index - 1] : nil)
      if !isLink, line.last != UInt8(ascii: "/") { files.insert(line) }
    }
    archive += [UInt8](repeating: 0, count: 1024)
    var options = ExtractionOptions.fuzzing
    options.formats = .tar
    options.onError = .keepGoing
    options.encoding = encodings[Int(input.first ?? 0) % encodings.count]
    guard let found = try? ArchiveReader(bytes: archive).extract(options: options) else { return }
    let raw = found.entries.map(\.rawName)
    guard raw == lines || !found.errors.isEmpty else { report("names became \(raw)") }
    guard options.encoding == nil, found.errors.isEmpty else { return }
    // The later of two entries with the same name wins, even if it is a link that leads nowhere.
    let links = Set(found.entries.filter { $0.kind != .file }.map(\.rawName))
    for name in files.subtracting(links) {
      guard let entry = found.entries.last(where: { $0.rawName == name && $0.kind == .file }) else {
        continue
      }
      guard found[entry.name] != nil else { report("\(entry.name) is not found") }
    }
  }

  private static func header(_ name: [UInt8], link: [UInt8]?) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512)
    func put(_ field: some Collection<UInt8>, _ offset: Int) {
      bytes.replaceSubrange(offset..<offset + field.count, with: field)
    }
    put(name, 0)
    put("0000644\0".utf8, 100)
    put("0000000\0".utf8, 108)
    put("0000000\0".utf8, 116)
    put("00000000000\0".utf8, 124)
    put("00000000000\0".utf8, 136)
    put("        ".utf8, 148)
    put([link == nil ? UInt8(ascii: "0") : UInt8(ascii: "2")], 156)
    if let link { put(link, 157) }
    put("ustar\u{0}00".utf8, 257)
    let digits = String(bytes.reduce(0) { $0 + Int($1) }, radix: 8)
    put((String(repeating: "0", count: 6 - digits.count) + digits + "\0 ").utf8, 148)
    return bytes
  }
}
