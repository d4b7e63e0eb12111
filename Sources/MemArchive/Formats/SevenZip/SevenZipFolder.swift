#if FastDecoders
/// One folder of a 7z: packed streams, and the coders that turn them into one stream, the contents of its entries in a row.
struct SevenZipFolder {
  struct Coder {
    let method: SevenZipMethod
    let properties: [UInt8]
    /// The first of its inputs among the folder's, and their number.
    let inputs: Range<Int>
    /// The size of its output.
    var size: Int64 = 0

    /// The size of the dictionary that decoding needs, which is no larger than the output; nil if the options make no sense.
    var dictionary: UInt32? {
      let wanted: UInt64
      switch (method, properties.count) {
      case (.lzma, 5): wanted = UInt64(properties.little(UInt32.self, at: 1))
      case (.lzma2, 1) where properties[0] < 40:
        wanted = UInt64(2 | properties[0] & 1) << UInt64(properties[0] / 2 + 11)
      case (.lzma2, 1) where properties[0] == 40: wanted = UInt64(UInt32.max)
      default: return nil
      }
      return UInt32(min(wanted, max(UInt64(size), 4096)))
    }

    /// Bytes of memory that decoding takes, about.
    var memory: Int64 {
      switch method {
      case .lzma, .lzma2: Int64(dictionary ?? 0) + 1 << 20
      case .ppmd where properties.count == 5: Int64(properties.little(UInt32.self, at: 1)) + 1 << 20
      // The largest window that libzstd takes.
      case .zstd: min(size, 128 << 20) + 1 << 20
      // Of bzip2: 900,000 numbers of four bytes.
      default: 4 << 20
      }
    }
  }

  /// Where an input's bytes come from.
  enum Origin {
    case coder(Int)
    /// An index among the folder's packed streams.
    case packed(Int)
  }

  private(set) var coders: [Coder] = []
  private(set) var origins: [Origin] = []
  /// The coder whose output is the folder's.
  private(set) var last = 0
  let packedCount: Int
  var checksum: UInt32?
  /// The index of the first content among all; nil if it has none.
  var firstStream: Int?

  var size: Int64 { coders[last].size }
  /// Bytes of memory that decoding takes, about.
  var memory: Int64 { coders.reduce(0) { $0 + $1.memory } }
  /// Bytes of memory for keeping it, about.
  var cost: Int64 { coders.reduce(256) { $0 + 128 + Int64($1.properties.count + 16 * $1.inputs.count) } }
  var isEncrypted: Bool { coders.contains { $0.method == .aes } }
  /// What shortens the content, below filters and encryption.
  var compression: ArchiveEntry.Compression {
    coders.lazy.compactMap(\.method.compression).first { $0 != .stored } ?? .stored
  }

  /// Upper bounds, as 7-Zip has them.
  private static let mostCoders: UInt64 = 32
  private static let mostInputs: UInt64 = 32

  init(_ header: inout SevenZipBytes) throws(ArchiveError) {
    let count = try header.number()
    guard (1...Self.mostCoders).contains(count) else {
      throw .sevenZipHeader("has a folder of \(count) coders")
    }
    var inputCount = 0
    for _ in 0..<count {
      let coder = try Self.coder(&header, firstInput: inputCount)
      inputCount = coder.inputs.upperBound
      coders.append(coder)
    }
    guard inputCount <= Self.mostInputs, inputCount >= coders.count else {
      throw .sevenZipHeader("has a folder of \(inputCount) streams")
    }
    var bound = [Int?](repeating: nil, count: inputCount)
    var isUsed = [Bool](repeating: false, count: coders.count)
    for _ in 1..<coders.count {
      let (input, output) = (try header.number(), try header.number())
      guard input < inputCount, output < coders.count, bound[Int(input)] == nil, !isUsed[Int(output)] else {
        throw .sevenZipHeader("connects the coders of a folder in an impossible way")
      }
      bound[Int(input)] = Int(output)
      isUsed[Int(output)] = true
    }
    packedCount = inputCount - (coders.count - 1)
    var packed = [Int?](repeating: nil, count: inputCount)
    for index in 0..<packedCount {
      let input = packedCount == 1 ? bound.firstIndex(of: nil) : Int(clamping: try header.number())
      guard let input, input < inputCount, bound[input] == nil, packed[input] == nil else {
        throw .sevenZipHeader("connects the streams of a folder in an impossible way")
      }
      packed[input] = index
    }
    for input in 0..<inputCount {
      origins.append(bound[input].map { .coder($0) } ?? .packed(packed[input] ?? 0))
    }
    // There is one: as many outputs are used as there are coders, less one.
    last = isUsed.firstIndex(of: false) ?? 0
    guard reach(of: last) == coders.count else {
      throw .sevenZipHeader("connects the coders of a folder in a circle")
    }
  }

  private static func coder(_ header: inout SevenZipBytes, firstInput: Int) throws(ArchiveError) -> Coder {
    let flags = try header.byte()
    guard flags & 0xC0 == 0, flags & 0x0F <= 8 else {
      throw .sevenZipHeader("describes a coder in an unknown way")
    }
    var id: UInt64 = 0
    for _ in 0..<flags & 0x0F { id = id << 8 | UInt64(try header.byte()) }
    let (inputs, outputs) = flags & 0x10 != 0 ? (try header.number(), try header.number()) : (1, 1)
    guard (1...mostInputs).contains(inputs) else { throw .sevenZipHeader("has a coder of \(inputs) streams") }
    guard outputs == 1 else {
      throw .unsupportedCoder("a coder of \(outputs) outputs (\(SevenZipMethod(id: id)))")
    }
    var properties: [UInt8] = []
    if flags & 0x20 != 0 { properties = Array(header.bytes[try header.take(try header.count())]) }
    return Coder(
      method: SevenZipMethod(id: id), properties: properties, inputs: firstInput..<firstInput + Int(inputs))
  }

  /// Reads the size of each coder's output.
  mutating func readSizes(_ header: inout SevenZipBytes) throws(ArchiveError) {
    for index in coders.indices { coders[index].size = try header.size() }
  }

  /// The number of coders that a coder's output comes from, itself among them. No output is used twice, so this ends.
  private func reach(of coder: Int) -> Int {
    coders[coder].inputs.reduce(1) { sum, input in
      if case .coder(let other) = origins[input] { sum + reach(of: other) } else { sum }
    }
  }
}

/// What a coder does, by its identifier (Methods.txt of the LZMA SDK).
enum SevenZipMethod: Equatable, CustomStringConvertible {
  case copy, delta, lzma, lzma2, ppmd, bcj2, bzip2, deflate, zstd, aes
  /// Changes the addresses in a program's instructions: liblzma's identifier of the filter.
  case filter(UInt64)
  case other(UInt64)

  /// Whether it changes bytes and not their number.
  var isFilter: Bool { if case .filter = self { true } else { self == .delta } }

  var isLZMA: Bool { self == .lzma || self == .lzma2 }

  /// nil for what does not compress.
  var compression: ArchiveEntry.Compression? {
    switch self {
    case .copy: .stored
    case .delta, .bcj2, .aes, .filter, .other(0x02_0302), .other(0x02_0304): nil
    case .lzma: .lzma
    case .lzma2: .lzma2
    case .ppmd: .ppmd
    case .bzip2: .bzip2
    case .deflate: .deflate
    case .zstd: .zstd
    case .other(0x04_0109): .deflate64
    case .other: .other
    }
  }

  init(id: UInt64) {
    self =
      switch id {
      case 0: .copy
      case 3: .delta
      // The short identifiers are those of liblzma; of the others 7-Zip only knows the long ones.
      case 0xA, 0xB: .filter(id)
      case 0x21: .lzma2
      case 0x03_0101: .lzma
      case 0x0303_0103: .filter(4)
      case 0x0303_0205: .filter(5)
      case 0x0303_0401: .filter(6)
      case 0x0303_0501: .filter(7)
      case 0x0303_0701: .filter(8)
      case 0x0303_0805: .filter(9)
      case 0x0303_011B: .bcj2
      case 0x03_0401: .ppmd
      case 0x04_0108: .deflate
      case 0x04_0202: .bzip2
      case 0x04F7_1101: .zstd
      case 0x06F1_0701: .aes
      default: .other(id)
      }
  }

  var description: String {
    switch self {
    case .filter(let id): ["x86", "PPC", "IA64", "ARM", "ARMT", "SPARC", "ARM64", "RISC-V"][Int(id) - 4]
    case .other(0x04_0109): "Deflate64"
    case .other(0x04F7_1102): "Brotli"
    case .other(0x04F7_1104): "LZ4"
    case .other(0x04F7_1105): "LZS"
    case .other(0x04F7_1106): "Lizard"
    case .other(0x04F7_1121): "FLZMA2"
    case .other(0x02_0302): "Swap2"
    case .other(0x02_0304): "Swap4"
    case .other(let id): "the method " + String(id, radix: 16, uppercase: true)
    case .copy: "Copy"
    case .delta: "Delta"
    case .lzma: "LZMA"
    case .lzma2: "LZMA2"
    case .ppmd: "PPMd"
    case .bcj2: "BCJ2"
    case .bzip2: "BZip2"
    case .deflate: "Deflate"
    case .zstd: "zstd"
    case .aes: "AES-256"
    }
  }
}

extension ArchiveError {
  /// - Parameter what: The coder, with what is special about it.
  static func unsupportedCoder(_ what: String) -> Self {
    Self(
      .unsupportedFeature, "the 7z uses \(what), which is not decoded",
      advice: "Unpack it with 7-Zip, and pack it again with its defaults.")
  }
}
#endif
