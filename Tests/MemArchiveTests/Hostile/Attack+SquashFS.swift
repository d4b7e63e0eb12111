import MemArchive
import TestSupport

/// squashfs images, by mksquashfs(1), that demand much or contradict themselves: the fields of the superblock and of the first
/// inode, "a", are not compressed.
extension Attack {
  private static let plain = Result { try SquashFSTests.image("echo hello > a", "-noI -noX") }
  private static let large = Result {
    try SquashFSTests.image("head -c 300000 /dev/urandom > a", "-noI -noX -no-fragments")
  }
  private static let link = Result { try SquashFSTests.image("ln -s x a", "-noI -noX") }

  private static func row(
    _ what: String, _ verdict: Verdict, _ limits: ExtractionLimits = ExtractionLimits(),
    _ bytes: @escaping @Sendable () throws -> Bytes
  ) -> Attack {
    Attack(
      "squashfs: " + what, verdict, options: ExtractionOptions(limits: limits, formats: .all), bytes)
  }

  /// - Parameters:
  ///   - place: In the superblock, or after the beginning of the first inode.
  ///   - image: Which of the above.
  private static func row<Value: FixedWidthInteger & Sendable>(
    _ what: String, _ verdict: Verdict, _ place: Int, ofInode: Bool = false, _ value: Value,
    in image: Result<Bytes, any Error> = plain
  ) -> Attack {
    row(what, verdict) {
      var bytes = try image.get()
      // After the length of the first block of the table of inodes.
      let start = ofInode ? bytes[64..<72].reversed().reduce(0) { $0 << 8 | Int($1) } + 2 : 0
      bytes.replaceSubrange(start + place..<start + place + Value.bitWidth / 8, with: little(value))
      return bytes
    }
  }

  static var squashFSAttacks: [Attack] {
    let (corrupt, truncated) = (Verdict.error(.corrupt), Verdict.error(.truncated))
    return [
      row("nothing wrong", .files(["a"])) { try plain.get() },
      row("two hundred files that share their blocks", .error(.limitExceeded), .init(totalBytes: 100 << 20)) {
        try SquashFSTests.image(
          "head -c 1M /dev/zero | tr '\\0' x > a && for i in $(seq 199); do cp a $i; done")
      },
      row("a file of one letter", .error(.limitExceeded, entry: "a"), .init(entryBytes: 1 << 20)) {
        try SquashFSTests.image("head -c 64M /dev/zero | tr '\\0' x > a")
      },
      row("a hole", .error(.limitExceeded, entry: "a"), .init(entryBytes: 1 << 20)) {
        try SquashFSTests.image("truncate -s 256M a")
      },
      row("ten thousand empty files", .error(.limitExceeded), .init(entries: 1000)) {
        try SquashFSTests.image("seq 10000 | xargs touch")
      },
      row("a link of 1 GiB", corrupt, 20, ofInode: true, UInt32(1 << 30 - 1), in: link),
      row("a file of 4 GiB without its blocks", corrupt, 28, ofInode: true, UInt32.max),
      row("a block of 16 MiB", .error(.corrupt, entry: "a"), 32, ofInode: true, UInt32(0xFF_FFFF), in: large),
      row("a fragment that is not there", .error(.corrupt, entry: "a"), 20, ofInode: true, UInt32(7)),
      row("content after its fragment", .error(.corrupt, entry: "a"), 24, ofInode: true, UInt32.max - 255),
      row("an owner that is not there", corrupt, 4, ofInode: true, UInt16(7)),
      row("blocks of 2 GiB", corrupt, 12, UInt32(1 << 31)),
      row("blocks of no bytes", corrupt, 12, UInt32(0)),
      row("more owners than there are", corrupt, 26, UInt16.max),
      row("a top directory elsewhere", corrupt, 32, UInt64(1 << 62)),
      row("owners elsewhere", corrupt, 48, UInt64(Int64.max)),
      row("inodes elsewhere", corrupt, 64, UInt64(Int64.max)),
      row("directories elsewhere", corrupt, 72, UInt64(Int64.max)),
      row("fragments elsewhere", corrupt, 80, UInt64(Int64.max)),
      row("more bytes than there are", truncated, 40, UInt64(1 << 62)),
      row("cut", truncated) { Bytes(try large.get().prefix(200_000)) },
      row("version 3", .error(.unsupportedFeature), 28, UInt16(3)),
      row("a compression that nobody knows", .error(.unsupportedFeature), 20, UInt16(99)),
    ]
  }
}
