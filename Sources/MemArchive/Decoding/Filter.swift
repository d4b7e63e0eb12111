/// The compression and encoding layers around an archive, each recognized by its first bytes.
enum Filter: String, CaseIterable, CustomStringConvertible {
  case gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress, uu, rpm

  var description: String { rawValue }

  /// Upper bound of one decoder's memory, in bytes: the dictionary of `xz -9` is 64 MiB, and the largest possible one 4 GiB.
  static let mostMemory: UInt64 = 1 << 30

  /// The result of inspecting first bytes.
  enum Recognition: Equatable {
    case filter(Filter)
    /// Known and never read: libarchive decodes these by running a program from PATH.
    case refused(String)
    case none
  }

  /// The number of first bytes that `recognize` needs.
  static let headSize = 4096

  static func recognize(_ head: [UInt8]) -> Recognition {
    func starts(_ bytes: UInt8..., at offset: Int = 0) -> Bool { head.dropFirst(offset).starts(with: bytes) }
    func starts(_ text: String) -> Bool { head.starts(with: text.utf8) }
    func isText(at offset: Int) -> Bool {
      head.dropFirst(offset).first.map { $0 >= 0x20 || $0 == 0x0A } ?? false
    }

    if starts(0x1F, 0x8B, 0x08) { return .filter(.gzip) }
    if starts("BZh"), head.count > 9, (0x31...0x39).contains(head[3]),
      starts(0x31, 0x41, 0x59, 0x26, 0x53, 0x59, at: 4) || starts(0x17, 0x72, 0x45, 0x38, 0x50, 0x90, at: 4)
    {
      return .filter(.bzip2)
    }
    if starts(0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00) { return .filter(.xz) }
    // A number follows (lzip file format, "VN"); where it is text, so is all of it.
    if starts("LZIP"), !isText(at: 4) { return .filter(.lzip) }
    if starts(0x28, 0xB5, 0x2F, 0xFD) { return .filter(.zstd) }
    if starts(0x04, 0x22, 0x4D, 0x18) || starts(0x02, 0x21, 0x4C, 0x18) { return .filter(.lz4) }
    if let frame = afterSkippableFrame(head) { return frame }
    if starts(0x1F, 0x9D), head.count < 3 || (head[2] & 0x60 == 0 && (9...16).contains(head[2] & 0x1F)) {
      return .filter(.compress)
    }
    if starts(0xED, 0xAB, 0xEE, 0xDB) { return .filter(.rpm) }
    if starts("LRZI"), !isText(at: 4) { return .refused("lrzip compression") }
    if starts(0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A) { return .refused("lzop compression") }
    if starts("GRZipII\u{0}") { return .refused("grzip compression") }
    if isUuencoded(head) { return .filter(.uu) }
    if isLZMA(head) { return .filter(.lzma) }
    return .none
  }

  /// Whether the first bytes are too few to tell this filter from other content: what comes out has to tell.
  var isGuess: Bool { self == .uu || self == .lzma || self == .compress }

  /// Where the skippable frames end that open zstd and lz4 streams alike (RFC 8878, 3.1.2), as far as they are in `head`;
  /// nil where there are none.
  static func endOfSkippableFrames(_ head: [UInt8]) -> Int? {
    var offset = 0
    while head.count >= offset + 8, head[offset] & 0xF0 == 0x50,
      head[(offset + 1)...].starts(with: [0x2A, 0x4D, 0x18])
    {
      offset += 8 + Int(head.little(UInt32.self, at: offset + 4))
    }
    return offset > 0 ? offset : nil
  }

  /// What follows the skippable frames tells which stream it is.
  private static func afterSkippableFrame(_ head: [UInt8]) -> Recognition? {
    guard let end = endOfSkippableFrames(head) else { return nil }
    let isLZ4 = head.dropFirst(end).starts(with: [0x04, 0x22, 0x4D, 0x18])
    return .filter(isLZ4 ? .lz4 : .zstd)
  }

  /// "begin 644 name" or "begin-base64 644 name" at the start of a line, after nothing but text, and a line of what it
  /// announces.
  private static func isUuencoded(_ head: [UInt8]) -> Bool {
    let lines = head.split(separator: UInt8(ascii: "\n"), maxSplits: 42, omittingEmptySubsequences: false)
      .map { $0.last == UInt8(ascii: "\r") ? Array($0.dropLast()) : Array($0) }
    for (index, line) in lines.prefix(40).enumerated() {
      guard line.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else { return false }
      guard let isBase64 = UUDecoder.begin(line) else { continue }
      // Where the text ends with this line, it is cut.
      guard index + 1 < lines.count else { return true }
      let next = lines[index + 1]
      if index + 2 == lines.count { return next.allSatisfy { (0x20..<0x7F).contains($0) } }
      return (isBase64 ? UUDecoder.base64(next) : UUDecoder.uu(next)) != nil
    }
    return false
  }

  /// lzma_alone has no magic: a properties byte, a dictionary size of 2^n or 2^n + 2^(n-1), and a size that is
  /// unknown or below 256 GiB, as xz(1) decides too. Only where nothing follows is it 0.
  private static func isLZMA(_ head: [UInt8]) -> Bool {
    guard head.count >= 14, head[0] < 9 * 5 * 5, head[13] == 0 else { return false }
    let dictionary = head[1..<5].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let size = head[5..<13].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard dictionary >= 4096, size == .max || size < 1 << 38, size > 0 || head.count < 32 else {
      return false
    }
    guard dictionary != .max else { return true }
    let top = UInt32(1) << (31 - UInt32(dictionary.leadingZeroBitCount))
    return dictionary == top || dictionary == top | top >> 1
  }

  /// The name of the decoded content of a file named `name`: without the suffix that this filter adds.
  func inner(of name: String) -> String {
    let suffixes: [(String, String)] =
      switch self {
      case .gzip: [(".gz", ""), (".tgz", ".tar"), (".z", ""), (".svgz", ".svg")]
      case .bzip2: [(".bz2", ""), (".bz", ""), (".tbz2", ".tar"), (".tbz", ".tar")]
      case .xz: [(".xz", ""), (".txz", ".tar")]
      case .lzma: [(".lzma", ""), (".tlz", ".tar")]
      case .lzip: [(".lz", ""), (".tlz", ".tar")]
      case .zstd: [(".zst", ""), (".tzst", ".tar")]
      case .lz4: [(".lz4", "")]
      case .compress: [(".Z", ""), (".taz", ".tar")]
      case .uu: [(".uu", ""), (".uue", ""), (".b64", "")]
      case .rpm: [(".rpm", ".cpio")]
      }
    for (suffix, replacement) in suffixes where name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count
    {
      return name.dropLast(suffix.count) + replacement
    }
    return name
  }
}
