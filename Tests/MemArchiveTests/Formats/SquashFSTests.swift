import Foundation
import MemArchive
import TestSupport
import Testing

/// squashfs images, by mksquashfs(1); what each compressor makes is among the ordinary archives.
struct SquashFSTests {
  /// An image of what a shell script makes in an empty directory.
  static func image(_ script: ByteString, _ options: ByteString = "-comp gzip") throws -> Bytes {
    try withTemporaryDirectory { directory in
      let made = try Program.shell(
        "mkdir tree && cd tree && " + script + " && cd .. && mksquashfs tree image -quiet -no-progress "
          + options
          + " >/dev/null", in: directory)
      try #require(made == .done(), "\(made)")
      return try Bytes(contentsOfFile: directory + "/image")
    }
  }

  private static let script: ByteString = """
    mkdir -p d/e many && echo hello > d/f && ln d/f d/e/hard && ln -s ../d/f d/link && mkfifo pipe && chmod 4750 d/f &&
    head -c 300000 /dev/zero | tr '\\0' 'x' > large && truncate -s 3M sparse && echo end >> sparse &&
    for i in $(seq 300); do echo $i > many/$i; done && touch -d @1000000000 d/f large && : > empty
    """

  private static let options = ExtractionOptions(formats: .all)

  private static let plain = Result { try image(script) }

  private static func check(_ files: MemFiles) throws {
    #expect(
      files["d/f"]?.entry?.modified?.seconds == 1_000_000_000
        || files["d/e/hard"]?.entry?.kind == .file)
    for name in ["d/f", "d/e/hard", "d/link"] {
      #expect(try files[name]?.string() == "hello\n", "\(name)")
    }
    #expect(try files["many/123"]?.string() == "123\n")
    #expect(try files["large"]?.content == Bytes(repeating: UInt8(ascii: "x"), count: 300_000))
    let sparse = try #require(try files["sparse"]?.content)
    #expect(sparse.count == (3 << 20) + 4 && sparse.suffix(4) == Bytes("end\n".utf8)[...])
    #expect(sparse.dropLast(4).allSatisfy { $0 == 0 })
    #expect(files["empty"]?.size == 0)
    let kinds = Dictionary(
      files.entries.map { ($0.name, $0.kind) }, uniquingKeysWith: { first, _ in first })
    #expect(kinds.count == files.entries.count && kinds.count == 310)
    #expect(kinds["pipe"] == .fifo && kinds["d/e"] == .directory)
    #expect([kinds["d/f"], kinds["d/e/hard"]].contains(.hardlink))
  }

  @Test(arguments: Isolation.allCases)
  func `An image is read with its links, holes, modes and times`(_ isolation: Isolation) throws {
    let image = try Self.plain.get()
    let options = isolation.applied(to: Self.options)
    try Self.check(ArchiveReader(bytes: image).extract(options: options))
    // Compressed, through a pipe, and in an archive.
    try Self.check(ArchiveReader(bytes: Gzip.deflated(image)).extract(options: options))
    let nested = try ArchiveReader(bytes: Tar.archive(Tar.entry("x.snap", image))).extract(
      .names("x.snap/d/f"),
      options: {
        var options = options
        options.nestedArchives = .expand
        return options
      }())
    #expect(try nested["x.snap/d/f"]?.string() == "hello\n")
    let tree = try ArchiveReader(bytes: image).tree(options: options)
    #expect(
      try tree.withPath(of: "many") {
        try FileManager.default.contentsOfDirectory(atPath: $0).count
      } == 300)
  }

  @Test(arguments: Isolation.allCases)
  func `An image after a program, and one in a SIF, are found`(_ isolation: Isolation) throws {
    let image = try Self.plain.get()
    let options = isolation.applied(to: Self.options)
    try Self.check(ArchiveReader(bytes: Self.program(image)).extract(options: options))
    try Self.check(ArchiveReader(bytes: Self.sif(image)).extract(options: options))
    // A program and a SIF without one are no archives.
    for bytes in [Self.program([]), Self.sif(Bytes(repeating: 0, count: 200))] {
      #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: bytes).extract(options: options)
      }
    }
  }

  /// An ELF file of 64 bits with one section header at its end, and what follows.
  private static func program(_ image: Bytes) -> Bytes {
    var header: Bytes =
      [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0x41, 0x49, 2] + Bytes(repeating: 0, count: 5)
    header +=
      little(UInt16(2)) + little(UInt16(62)) + little(UInt32(1)) + Bytes(repeating: 0, count: 16)
    header += little(UInt64(100)) + little(UInt32(0)) + [64, 0, 0, 0, 0, 0, 64, 0, 1, 0, 0, 0]
    return header + Bytes(repeating: 0x90, count: 100 - header.count)
      + Bytes(repeating: 0, count: 64) + image
  }

  /// A SIF with a definition file and one partition (sif/pkg/sif).
  private static func sif(_ image: Bytes) -> Bytes {
    func descriptor(_ type: UInt32, _ offset: Int, _ size: Int, _ extra: Bytes) -> Bytes {
      little(type) + [1] + little(UInt32(1)) + little(UInt32(0)) + little(UInt32(0))
        + little(UInt64(offset))
        + little(UInt64(size)) + Bytes(repeating: 0, count: 40 + 128) + extra
        + Bytes(repeating: 0, count: 384 - extra.count)
    }
    let start = 8192
    let table =
      descriptor(0x4001, 4096, 10, [])
      + descriptor(0x4004, start, image.count, little(UInt32(1)) + little(UInt32(2)))
    var header =
      Bytes("#!/usr/bin/env run-singularity\n\0".utf8) + Bytes("SIF_MAGIC\0".utf8)
      + Bytes("01\u{0}02\u{0}".utf8)
    header +=
      Bytes(repeating: 0, count: 80 - header.count) + little(UInt64(0)) + little(UInt64(2))
      + little(UInt64(128))
    header += little(UInt64(table.count)) + Bytes(repeating: 0, count: 16)
    let front = header + table
    return front + Bytes(repeating: 0, count: start - front.count) + image
  }

  @Test(arguments: Isolation.allCases)
  func `It is read on request alone, and within the limits`(_ isolation: Isolation) throws {
    let image = try Self.plain.get()
    let disallowed = #expect(throws: ArchiveError.self) {
      try ArchiveReader(bytes: image).extract(options: isolation.applied())
    }
    #expect(
      disallowed?.code == .unsupportedFormat && disallowed?.reason.contains("squashfs") == true)
    let bomb = try Self.image(
      "truncate -s 1G hole && head -c 50000000 /dev/zero | tr '\\0' 'x' > dense")
    #expect(bomb.count < 1 << 20)
    for limits in [
      ExtractionLimits(totalBytes: 1 << 20), ExtractionLimits(heldBytes: 1 << 24),
      ExtractionLimits(entryBytes: 1 << 20),
      ExtractionLimits(entries: 1),
    ] {
      var options = isolation.applied(to: Self.options)
      options.limits = limits
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: bomb).extract(options: options)
      }
      #expect(error?.code == .limitExceeded, "\(String(describing: error))")
    }
  }

  /// Metadata that is not compressed, with a change.
  private static func crafted(_ type: UInt8, _ name: String, _ change: (inout Bytes, Int) -> Void) throws
    -> Bytes
  {
    var image = try image("mkdir dd && echo x > dd/ab", "-noI -noX")
    let table = image[72..<80].reversed().reduce(0) { $0 << 8 | Int($1) }
    let entry = [type, 0, UInt8(name.utf8.count - 1), 0] + Bytes(name.utf8)
    let place = try #require(
      (table..<image.count - entry.count).first { image[$0..<$0 + entry.count].elementsEqual(entry) })
    change(&image, place)
    return image
  }

  @Test(arguments: Isolation.allCases)
  func `A directory in itself and names that lead out are corrupt`(_ isolation: Isolation) throws {
    let images = [
      // An entry is the place of its inode, a number, its kind, the length of its name, and that.
      try Self.crafted(1, "dd") { image, place in
        image.replaceSubrange(place - 4..<place - 2, with: image[32..<34])
      },
      try Self.crafted(2, "ab") { image, place in
        image.replaceSubrange(place + 4..<place + 6, with: Bytes("..".utf8))
      },
      try Self.crafted(2, "ab") { image, place in
        image.replaceSubrange(place + 4..<place + 6, with: Bytes("/b".utf8))
      },
    ]
    for image in images {
      let error = #expect(throws: ArchiveError.self) {
        try ArchiveReader(bytes: image).extract(options: isolation.applied(to: Self.options))
      }
      #expect(error?.code == .corrupt, "\(String(describing: error))")
    }
  }

  /// What libsquashfs makes of damage is an error or what the image has, in this process too: metadata that is not compressed, so that
  /// a change is one of what is told, and compressed.
  @Test(.seeded, arguments: Isolation.allCases)
  func `Damage is an error, and ends nothing`(_ isolation: Isolation) throws {
    var generator = SeededGenerator()
    let images = [
      try Self.plain.get(), try Self.image(Self.script, "-noI -noD -noF -noX"),
      try Self.image(Self.script, "-comp zstd"),
    ]
    var options = isolation.applied(to: Self.options)
    options.limits = ExtractionLimits(totalBytes: 1 << 26, heldBytes: 1 << 26, entries: 10_000)
    for number in isolation.some(of: 0..<600) {
      var image = images[number % images.count]
      for _ in 0..<[1, 1, 2, 8][number % 4] {
        let place =
          switch Int.random(in: 0..<10, using: &generator) {
          case 0..<3: Int.random(in: 0..<96, using: &generator)
          case 3..<9:
            image.count - 1 - Int.random(in: 0..<min(16_000, image.count), using: &generator)
          default: Int.random(in: 0..<image.count, using: &generator)
          }
        image[place] =
          [0, 0xFF, 0x7F, image[place] ^ 1 << UInt8.random(in: 0..<8, using: &generator)][
            number % 4]
      }
      if number.isMultiple(of: 50) {
        image.removeLast(Int.random(in: 0..<image.count, using: &generator))
      }
      do { _ = try ArchiveReader(bytes: image).extract(options: options) } catch {
        #expect(error.code != .system || error.errno == nil, "\(error)")
      }
    }
  }
}
