import Glibc
import MemArchive
import TestSupport
import Testing

/// Each format with a cut at every byte and a change of every byte: a verdict each time, and never a wrong content where
/// the format carries checksums. Read in this process alone: a worker for each of some 100,000 readings would take an hour, and
/// what it decodes with is the same.
@Suite(.slow) struct SweepTests {
  struct Subject: CustomTestStringConvertible {
    let file: String
    /// Whether every byte of content is under a checksum.
    let isChecked: Bool
    var testDescription: String { file }
  }

  static let subjects: [Subject] =
    [
      "zip-stored.zip", "zip-deflated.zip", "zip-streamed.zip", "zip-zip64.zip", "zip-bzip2.zip",
      "zip-xz.zip",
      "zip-zstd.zip", "7z-lzma2.7z", "7z-copy.7z", "7z-bzip2.7z", "7z-ppmd.7z", "7z-not-solid.7z",
      "7z-plain-header.7z", "7z-bcj.7z", "7z-delta.7z", "odd/7z/bcj2.7z", "tree.tar.gz", "tree.tar.bz2",
      "tree.tar.xz", "tree.tar.lz", "tree.tar.lz4", "uu.tar.gz.uu", "hello.txt.gz", "hello.txt.bz2",
      "hello.txt.xz",
      "hello.txt.lz", "hello.txt.lz4", "rpm-gzip.rpm", "odd/lha/lh4.lzh", "odd/lha/lh7.lzh",
      "odd/lha/h2_subdir.lzh",
      "odd/lha/level1-latin1.lzh", "odd/rar/method36.rar", "odd/rar/rar5-solid.rar",
      "odd/cab/names-latin1.cab",
    ].map { Subject(file: $0, isChecked: true) }
    + [
      "tar-ustar-prefix.tar", "tar-pax-xattr.tar", "cpio-newc.cpio", "cpio-crc.cpio", "cpio-odc.cpio",
      "cpio-bin.cpio", "ar-gnu-long.a", "ar-bsd-long.a", "ar-package.deb", "tree.tar.zst", "tree.tar.lzma",
      "hello.txt.Z", "lz4-legacy.txt.lz4", "bzip2-two-streams.txt.bz2", "lzip-two-members.txt.lz",
      // Its blocks have no sums.
      "odd/cab/reserve-HFD.cab",
    ].map { Subject(file: $0, isChecked: false) }

  /// No machine-dependent budget, and no accidental bomb.
  private static let options = ExtractionOptions(
    limits: ExtractionLimits(totalBytes: 1 << 26, heldBytes: 1 << 26),
    formats: [.standard, .lha, .rar, .rar5, .cab])

  private static func contents(_ bytes: Bytes, onError: ExtractionOptions.ErrorPolicy) throws -> Set<Bytes> {
    var options = options
    options.onError = onError
    do {
      // With this value left over, a name that cannot be converted makes libarchive end the process.
      errno = ENOMEM
      return Set(try ArchiveReader(bytes: bytes).extract(options: options).map { try $0.file.content })
    } catch let error as ArchiveError {
      #expect(error.code != .system && error.code != .outOfMemory, "\(error)")
      return []
    }
  }

  /// The possible results of a changed archive. A zip's attributes have no checksum and can turn a file into a link, and a
  /// link into a file.
  private static func known(_ bytes: Bytes) throws -> Set<Bytes> {
    let links = try ArchiveReader(bytes: bytes).entries(options: options).compactMap(\.link)
    return try contents(bytes, onError: .stop).union([[]]).union(links.map { Bytes($0.utf8) })
  }

  @Test(.timeLimit(.minutes(10)), arguments: subjects)
  func `Cut anywhere, an archive gives nothing that was not in it`(_ subject: Subject) throws {
    let whole = try Fixture.bytes(subject.file)
    let known = try Self.known(whole)
    for count in whole.indices {
      let found = try Self.contents(Bytes(whole.prefix(count)), onError: .stop)
      // Without a length or a checksum, only the beginning of the content can be compared.
      let wrong = found.filter { part in
        !known.contains(part) && (subject.isChecked || !known.contains { $0.starts(with: part) })
      }
      #expect(wrong.isEmpty, "cut at \(count)")
    }
  }

  @Test(.timeLimit(.minutes(10)), arguments: subjects)
  func `With any byte changed, an archive gets a verdict, and no checksummed content is wrong`(
    _ subject: Subject
  ) throws {
    let whole = try Fixture.bytes(subject.file)
    let known = try Self.known(whole)
    // A wrong checksum around a whole archive is known only at its end: files that are kept anyway may be wrong.
    let hasOneForEachEntry = subject.file.hasSuffix(".zip") || subject.file.hasSuffix(".7z")
    for position in whole.indices {
      var bytes = whole
      bytes[position] ^= 0xFF
      let found = try Self.contents(bytes, onError: hasOneForEachEntry ? .keepGoing : .stop)
      if subject.isChecked {
        #expect(
          found.isSubset(of: known),
          "byte \(position): \(found.subtracting(known).map { String(decoding: $0.prefix(60), as: UTF8.self) })"
        )
      }
    }
  }

  /// What ends somewhere by itself, and the lengths at which a beginning of it is whole: after each stream.
  private static let streams: [(String, wholeAt: @Sendable (Bytes) -> Set<Int>)] = [
    ("bzip2-two-streams.txt.bz2", { starts(of: Bytes("BZh9".utf8), in: $0) }),
    ("lzip-two-members.txt.lz", { starts(of: Bytes("LZIP".utf8), in: $0) }),
    ("gzip-two-members.txt.gz", { starts(of: [0x1F, 0x8B, 0x08], in: $0) }),
    // A skippable frame lies between them.
    (
      "lz4-two-frames.txt.lz4",
      { starts(of: [0x04, 0x22, 0x4D, 0x18], in: $0).union(starts(of: [0x50, 0x2A, 0x4D, 0x18], in: $0)) }
    ),
    // The last line's end.
    ("uu.tar.gz.uu", { [$0.count - 1] }), ("rpm-gzip.rpm", { _ in [] }), ("rpm-zstd.rpm", { _ in [] }),
  ]

  /// A 7z is never whole at another length.
  private static let sevenZips = [
    "7z-lzma.7z", "7z-lzma2.7z", "7z-copy.7z", "7z-deflate.7z", "7z-bzip2.7z",
    "7z-not-solid.7z", "7z-delta.7z", "odd/7z/bcj2.7z", "odd/7z/arm64.7z", "odd/7z/delta-bcj-lzma.7z",
    "odd/7z/times.7z",
  ]

  private static func starts(of magic: Bytes, in whole: Bytes) -> Set<Int> {
    Set(whole.indices.filter { whole[$0...].starts(with: magic) })
  }

  @Test(arguments: streams.map(\.0) + sevenZips + ["7z-ppmd.7z"])
  func `Cut anywhere, a compressed stream is never taken for the whole`(_ file: String) throws {
    let whole = try Fixture.bytes(file)
    let wholeAt = Self.streams.first { $0.0 == file }?.wholeAt(whole) ?? []
    for count in 1..<whole.count {
      let isWhole =
        (try? ArchiveReader(bytes: Bytes(whole.prefix(count))).extract(options: Self.options)) != nil
      #expect(isWhole == wholeAt.contains(count), "cut at \(count)")
    }
  }

  /// Except in PPMd, whose decoder does not say whether the range coder ends as it must.
  @Test(arguments: sevenZips)
  func `With any byte changed but that of its minor version, a 7z is refused`(_ file: String) throws {
    let whole = try Fixture.bytes(file)
    for position in whole.indices where position != 7 {
      var bytes = whole
      bytes[position] ^= 0xFF
      #expect(throws: ArchiveError.self, "byte \(position)") {
        try ArchiveReader(bytes: bytes).extract(options: Self.options)
      }
    }
  }
}
