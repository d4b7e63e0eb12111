import MemArchive
import TestSupport

/// 7z headers that count, connect or place what cannot be.
extension Attack {
  private static let size = UInt64(hello.count)

  /// A 7z of one file, whose folder is this.
  private static func sevenZip(
    folder: Bytes, packed: [UInt64] = [size], sizes: [UInt64] = [size], count: UInt64? = nil,
    contents: Bytes = []
  ) -> Bytes {
    SevenZip.archive(
      hello,
      SevenZip.header(
        packed: packed, folders: [folder], count: count, sizes: sizes, contents: contents,
        files: SevenZip.files(["a"])))
  }

  private static let copyCoder: Bytes = [1, 0]
  private static let program = Bytes("MZ".utf8) + Bytes(repeating: 0x90, count: 1 << 20)

  static let sevenZipAttacks: [Attack] = [
    Attack("7z: nothing wrong", .files(["a"])) { SevenZip.stored("a", hello) },
    Attack("7z: a version yet to come", .error(.unsupportedFeature)) {
      SevenZip.archive(hello, SevenZip.files([]), version: 1)
    },
    Attack("7z: a changed byte in the first 32", .error(.corrupt)) {
      var bytes = SevenZip.stored("a", hello)
      bytes[12] ^= 1
      return bytes
    },
    Attack("7z: a changed byte in the header", .error(.corrupt)) {
      var bytes = SevenZip.stored("a", hello)
      bytes[bytes.count - 3] ^= 1
      return bytes
    },
    Attack("7z: a cut header", .error(.truncated)) { Bytes(SevenZip.stored("a", hello).dropLast()) },
    Attack("7z: after a long program", .files(["a"])) { program + SevenZip.stored("a", hello) },
    Attack("7z: after a program with a signature in it", .files(["a"])) {
      program + SevenZip.archive(hello, []).prefix(31) + program + SevenZip.stored("a", hello)
    },
    Attack("7z: a million signatures in a program", .error(.unrecognizedFormat)) {
      program + Bytes([Bytes](repeating: [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], count: 1_000_000).joined())
    },
    Attack("7z: 2^62 files", .error(.corrupt)) {
      SevenZip.archive([], [1] + SevenZip.files(["a"], count: 1 << 62) + [0])
    },
    Attack(
      "7z: more files than allowed", .error(.limitExceeded),
      options: ExtractionOptions(limits: ExtractionLimits(entries: 999))
    ) {
      SevenZip.archive(
        [],
        [1] + SevenZip.files([], count: 1000, properties: [0x19, 100] + Bytes(repeating: 0, count: 1000)) + [
          0
        ])
    },
    Attack("7z: 2^40 folders", .error(.corrupt)) { sevenZip(folder: SevenZip.copy, count: 1 << 40) },
    Attack("7z: a folder without coders", .error(.corrupt)) { sevenZip(folder: [0]) },
    Attack("7z: a folder of thousands of coders", .error(.corrupt)) {
      sevenZip(folder: SevenZip.number(5000) + Bytes(repeating: 0, count: 10_000))
    },
    Attack("7z: a coder of two outputs", .error(.unsupportedFeature)) {
      sevenZip(folder: [1, 0x14, 3, 3, 1, 0x1B, 1, 2])
    },
    Attack("7z: coders in a circle", .error(.corrupt)) {
      sevenZip(folder: [3] + copyCoder + copyCoder + copyCoder + [0, 1, 1, 0], sizes: [size, size, size])
    },
    Attack("7z: an input with two sources", .error(.corrupt)) {
      sevenZip(folder: [3] + copyCoder + copyCoder + copyCoder + [0, 1, 0, 2], sizes: [size, size, size])
    },
    Attack("7z: an input without a source", .error(.corrupt)) {
      sevenZip(folder: [1, 0x14, 3, 3, 1, 0x1B, 4, 1, 0, 1, 2, 2], packed: [size, 0, 0, 0])
    },
    Attack("7z: fewer packed streams than are needed", .error(.corrupt)) {
      sevenZip(folder: [1, 0x14, 3, 3, 1, 0x1B, 4, 1, 0, 1, 2, 3])
    },
    Attack("7z: packed sizes that wrap", .error(.corrupt)) {
      sevenZip(folder: SevenZip.copy, packed: [UInt64(Int64.max), UInt64(Int64.max), 1])
    },
    Attack("7z: a packed size beyond 8 EiB", .error(.corrupt)) {
      sevenZip(folder: SevenZip.copy, packed: [.max])
    },
    Attack("7z: contents that are larger than their folder", .error(.corrupt)) {
      sevenZip(
        folder: SevenZip.copy,
        contents: [8, 0x0D, 3, 9] + SevenZip.number(1 << 62) + SevenZip.number(1 << 62) + [0])
    },
    Attack("7z: 2^50 contents", .error(.corrupt)) {
      sevenZip(folder: SevenZip.copy, contents: [8, 0x0D] + SevenZip.number(1 << 50) + [9, 0])
    },
    Attack("7z: a content of 8 EiB", .error(.limitExceeded, entry: "a")) {
      sevenZip(folder: SevenZip.copy, sizes: [UInt64(Int64.max)])
    },
    Attack("7z: more content than is declared", .error(.corrupt, entry: "a")) {
      sevenZip(folder: SevenZip.copy, sizes: [size - 1])
    },
    Attack("7z: less content than is declared", .error(.corrupt, entry: "a")) {
      sevenZip(folder: SevenZip.copy, sizes: [size + 1])
    },
    Attack("7z: a coder that gives more than its size to another", .error(.corrupt, entry: "a")) {
      sevenZip(folder: [2] + copyCoder + copyCoder + [0, 1], sizes: [size, size - 1])
    },
    Attack("7z: a coder that gives less than its size to another", .error(.corrupt, entry: "a")) {
      sevenZip(folder: [2] + copyCoder + copyCoder + [0, 1], sizes: [size, size + 1])
    },
    Attack("7z: a coder that 7-Zip does not know", .error(.unsupportedFeature, entry: "a")) {
      sevenZip(folder: [1, 1, 8])
    },
    Attack("7z: padding of other bytes than zeros", .error(.corrupt)) {
      SevenZip.stored("a", hello, properties: SevenZip.property(0x19, [0, 1]))
    },
    Attack("7z: a dictionary of 4 GiB for content of 3 GiB", .error(.unsupportedFeature, entry: "a")) {
      sevenZip(
        folder: [2] + copyCoder + [0x23, 3, 1, 1, 5, 0x5D, 0xFF, 0xFF, 0xFF, 0xFF, 0, 1],
        sizes: [size, 3 << 30])
    },
    Attack("7z: options of LZMA that cannot be", .error(.corrupt, entry: "a")) {
      sevenZip(folder: [1, 0x23, 3, 1, 1, 5, 225, 0, 0, 1, 0])
    },
    Attack("7z: a part of the header twice", .error(.corrupt)) {
      SevenZip.stored("a", hello, properties: SevenZip.property(0x11, [0, 0x62, 0, 0, 0]))
    },
    Attack("7z: a name without an end", .error(.corrupt)) {
      SevenZip.archive([], [1, 5, 1, 0x11, 5, 0, 0x61, 0, 0x62, 0, 0, 0])
    },
    Attack("7z: more files with content than contents", .error(.corrupt)) {
      SevenZip.archive([], [1] + SevenZip.files(["a"]) + [0])
    },
  ]
}
