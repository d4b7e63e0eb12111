import CLibArchive
import TestSupport
import Testing

/// Defects of libarchive. A failure here means that a workaround in Formats/LibArchive can be removed, or a format left to
/// libarchive again, once no older version is supported.
struct LibArchiveFaultTests {
  struct Fault: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// As in archive_version_number(3); nil if no release is known to have fixed it (up to 3.8.9 in August 2026).
    let mendedIn: Int32?
    /// Whether libarchive has the defect.
    let isSeen: @Sendable () throws -> Bool

    init(_ what: String, mendedIn: Int32? = nil, _ isSeen: @escaping @Sendable () throws -> Bool) {
      (testDescription, self.mendedIn, self.isSeen) = (what, mendedIn, isSeen)
    }

    /// libarchive reads it all, and finds nothing wrong.
    init(
      unnoticed what: String, mendedIn: Int32? = nil, _ bytes: @escaping @Sendable () throws -> Bytes
    ) {
      self.init(what, mendedIn: mendedIn) { BareReading(try bytes()).problems.isEmpty }
    }

    /// The same for an archive from the table of attacks.
    init(attack what: String, mendedIn: Int32? = nil) {
      self.init(unnoticed: what, mendedIn: mendedIn) {
        try #require(Attack.all.first { $0.testDescription == what }).bytes()
      }
    }
  }

  static let faults: [Fault] = [
    // Formats/Cpio
    Fault(unnoticed: "cpio: another sum") {
      try Attack.changed("cpio-crc.cpio") { $0.replace(Bytes("world".utf8), with: Bytes("earth".utf8)) }
    },
    Fault(attack: "cpio, crc: less declared than there is"),
    // RARHeaders
    Fault(attack: "rar 5: encrypted", mendedIn: 3_008_000),
    Fault(unnoticed: "rar 4: encrypted") { try Fixture.bytes("odd/rar/rar15-password-stored.rar") },
    Fault(attack: "rar 4: a changed byte"),
    Fault(attack: "rar 5: a changed byte"),
    // LibArchiveReader
    Fault(attack: "7z: bytes after its end"),
    Fault(attack: "cpio: bytes after its end"),
    Fault(unnoticed: "tar: no end") { Tar.entry("a", Attack.hello) },
    Fault(unnoticed: "tar: bytes after its end") { Attack.tar + Attack.hello },
    Fault(attack: "a tar with a zip at its end"),
    Fault(unnoticed: "zip: no end record") { Bytes(Zip.archive(.init("a", Attack.hello)).dropLast(22)) },
    Fault(attack: "zip: a directory that counts an entry and has none"),
    Fault("zip: the content is read whose header is told to be inconsistent") {
      var zip = Zip.archive(.init("a", Attack.hello))
      let central = try #require(zip.indices.first { zip[$0...].starts(with: [0x50, 0x4B, 1, 2]) })
      zip[central + 16] ^= 1
      let reading = BareReading(zip)
      return reading.entries.first?.content == Attack.hello
        && reading.problems.first?.hasPrefix("Inconsistent") == true
    },
    // FilterDecoder
    Fault(
      "lzip: a member ends the stream where a block of input and one of output end with it",
      mendedIn: 3_007_003
    ) {
      (1..<letters.count).contains { blockSize in
        let reading = BareReading(letters + letters, blockSize: blockSize)
        return reading.problems.isEmpty && reading.entries.first?.content.count == 65_536
      }
    },
    // Header+LibArchive
    Fault("pax: times before 1970 with a fraction") {
      let tar = Tar.archive(Tar.pax("mtime", Bytes("-1.5".utf8)), Tar.entry("a"))
      return BareReading(tar).entries.first?.modified
        == BareReading.Time(seconds: -1, nanoseconds: 500_000_000)
    },
    // ArchiveHandle
    Fault("ar: its tables are entries") {
      BareReading(try Fixture.bytes("ar-gnu-symbols.a")).entries.contains { $0.name == "/" }
    },
    // FormatChoice
    Fault(unnoticed: "a disk image that begins with zeros") {
      Bytes(repeating: 0, count: 4096) + Attack.hello
    },
    // GzipDecoder and LZ4Decoder
    Fault(attack: "gzip: wrong CRC"),
    Fault(attack: "lz4: more declared than there is"),
    Fault(attack: "lz4: less declared than there is"),
    Fault(attack: "lz4: bytes after it"),
  ]

  /// 64 KiB of the letter a, by lzip 1.23.
  private static let letters: Bytes =
    [
      0x4C, 0x5A, 0x49, 0x50, 0x01, 0x10, 0x00, 0x30, 0xEF, 0xFB, 0xBF, 0xFE, 0xA3, 0xB1, 0x5E, 0xE5, 0xF8,
      0x3F,
      0xB2, 0xAA, 0x26, 0x55, 0xF8, 0x68, 0x70, 0x41, 0x70, 0x15, 0x0F, 0x8D, 0xFD, 0x1E, 0x4C, 0x1B, 0x8A,
      0x42,
      0xB7, 0x19, 0xF4, 0x69, 0x18, 0x71, 0xAE, 0x66, 0x23, 0x8A, 0x8A, 0x4D, 0x2F, 0xA3, 0x0D, 0xD9, 0x7F,
      0xA6,
      0xE3, 0x8C, 0x23, 0x11, 0x53, 0xE0, 0x59, 0x18, 0xC5, 0x75, 0x8A, 0xE2, 0x77, 0xF8, 0xB6, 0x94, 0x7F,
      0x0C,
      0x6A, 0xC0, 0xDE, 0x74, 0x49, 0x64, 0x5C, 0xA3, 0xCD, 0xE7, 0xA3, 0xFF, 0xFF, 0x0C, 0x1C, 0x00, 0x00,
      0xFF,
      0x91, 0x20, 0xC3, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x6D, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00,
      0x00,
    ]

  @Test(arguments: faults) func `libarchive still has the defect`(_ fault: Fault) throws {
    let version = archive_version_number()
    let isMended = fault.mendedIn.map { version >= $0 } ?? false
    #expect(
      try fault.isSeen() != isMended,
      "libarchive \(version) \(isMended ? "has it again" : "has it no more: write down since when, and remove the mend one day")"
    )
  }

  /// See ArchiveHandle.filter.
  @Test func `The compress filter reads from a source that does not exist yet, if it is set without bidding`()
    async
  {
    await #expect(processExitsWith: archive_version_number() < 3_008_008 ? .failure : .success) {
      archive_read_append_filter(archive_read_new(), ARCHIVE_FILTER_COMPRESS)
    }
  }
}

/// An archive read by libarchive alone, with all its formats and filters.
private struct BareReading {
  struct Time: Equatable {
    let seconds: Int
    let nanoseconds: Int
  }

  struct Entry: Equatable {
    let name: String
    let modified: Time
    var content: Bytes = []
  }

  private(set) var entries: [Entry] = []
  /// Its warnings and errors.
  private(set) var problems: [String] = []

  init(_ bytes: Bytes, blockSize: Int = 10_240) {
    let archive = archive_read_new()
    defer { archive_read_free(archive) }
    archive_read_support_filter_all(archive)
    archive_read_support_format_all(archive)
    archive_read_support_format_raw(archive)
    bytes.withUnsafeBytes { bytes in
      guard
        isFine(archive_read_open_memory2(archive, bytes.baseAddress, bytes.count, blockSize), archive)
      else { return }
      var entry: OpaquePointer?
      while isFine(archive_read_next_header(archive, &entry), archive) {
        entries.append(
          Entry(
            name: archive_entry_pathname(entry).map { String(cString: $0) } ?? "",
            modified: Time(seconds: archive_entry_mtime(entry), nanoseconds: archive_entry_mtime_nsec(entry)))
        )
        var block = Bytes(repeating: 0, count: 64 << 10)
        while true {
          let count = archive_read_data(archive, &block, block.count)
          guard count > 0 else {
            _ = isFine(CInt(count), archive)
            break
          }
          entries[entries.count - 1].content += block.prefix(count)
        }
      }
    }
  }

  /// Whether reading continues; errors are kept.
  private mutating func isFine(_ status: CInt, _ archive: OpaquePointer?) -> Bool {
    if status != ARCHIVE_OK, status != ARCHIVE_EOF {
      problems.append(archive_error_string(archive).map { String(cString: $0) } ?? "status \(status)")
    }
    return status == ARCHIVE_OK || status == ARCHIVE_WARN
  }
}
