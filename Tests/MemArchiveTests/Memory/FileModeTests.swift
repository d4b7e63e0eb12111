import Glibc
import MemArchive
import TestSupport
import Testing

/// The permissions and the time of a bare file.
struct FileModeTests {
  private func status(_ file: MemFile) throws -> (mode: UInt32, seconds: Int) {
    try file.withPath { path in
      var status = stat()
      #expect(stat(path, &status) == 0)
      return (status.st_mode & 0o7777, status.st_mtim.tv_sec)
    }
  }

  private func options(_ isolation: Isolation, _ storage: ExtractionOptions.Storage) -> ExtractionOptions {
    var options = isolation.applied()
    options.storage = storage
    return options
  }

  private let modes = [0o600, 0o644, 0o755, 0o700, 0o000, 0o222, 0o4755]
  private var archive: Bytes {
    modes.flatMap { Tar.entry(String($0, radix: 8), [1], mode: $0) } + Tar.end
  }

  @Test(arguments: Isolation.allCases, ExtractionOptions.Storage.allCases)
  func `They are the entry's without those to write`(
    _ isolation: Isolation, _ storage: ExtractionOptions.Storage
  ) throws {
    var options = options(isolation, storage)
    let files = try ArchiveReader(bytes: archive).extract(options: options)
    let shown = [0o400, 0o444, 0o444, 0o400, 0o400, 0o400, 0o444]
    for (mode, shown) in zip(modes, shown) {
      let status = try status(#require(files[String(mode, radix: 8)]))
      #expect(status.mode == UInt32(shown), "\(String(mode, radix: 8))")
      #expect(status.seconds == 1_700_000_000)
    }
    options.executable = true
    let programs = try ArchiveReader(bytes: archive).extract(options: options)
    for (mode, shown) in zip(modes, [0o500, 0o555, 0o555, 0o500, 0o500, 0o500, 0o555]) {
      #expect(try status(#require(programs[String(mode, radix: 8)])).mode == UInt32(shown))
    }
  }

  @Test(arguments: Isolation.allCases, ExtractionOptions.Storage.allCases)
  func `They can be given, and survive compaction`(
    _ isolation: Isolation, _ storage: ExtractionOptions.Storage
  ) throws {
    var options = options(isolation, storage)
    options.mode = 0o751
    var files = try ArchiveReader(bytes: archive).extract(options: options)
    try files.compact()
    #expect(try files.allSatisfy { try status($0.file).mode == 0o640 })
    options.executable = true
    files = try ArchiveReader(bytes: archive).extract(options: options)
    #expect(try files.allSatisfy { try status($0.file).mode == 0o751 })
  }

  @Test(arguments: Isolation.allCases)
  func `Where the archive has none, everybody may read`(_ isolation: Isolation) throws {
    let zip = Zip.archive(Zip.Entry("plain", [1], attributes: 0), withDirectory: true)
    // Made by DOS, as the central directory says.
    let files = try ArchiveReader(bytes: zip.madeByDOS).extract(options: isolation.applied())
    #expect(files.entries.map(\.mode) == [nil])
    #expect(try status(#require(files["plain"])).mode == 0o444)
    #expect(try status(MemFile(name: "x", bytes: [1])).mode == 0o444)
    #expect(try status(MemFile(name: "x", bytes: [1], executable: true)).mode == 0o555)
    #expect(try status(MemFile(name: "x", bytes: [1], mode: 0o640)).mode == 0o640)
    #expect(try status(MemFile(name: "x", bytes: [1], mode: 0o755)).mode == 0o644)
  }

  @Test func `Links to a file show that file`() throws {
    let archive = Tar.archive(
      Tar.entry("key", [1], mode: 0o600), Tar.entry("hard", type: "1", link: "key"),
      Tar.entry("soft", type: "2", link: "key", mode: 0o777))
    let files = try ArchiveReader(bytes: archive).extract()
    #expect(try files.map { try status($0.file).mode } == [0o400, 0o400, 0o400])
  }

  @Test(arguments: ["f", "./f", "././f"])
  func `A leading dot makes no other name`(_ name: String) throws {
    let archive = Tar.archive(Tar.entry("./f", [1]), Tar.entry("./d/g", [2]))
    let files = try ArchiveReader(bytes: archive).extract()
    #expect(files[name]?.size == 1)
    #expect(files.keys.map { $0 } == ["./f", "./d/g"])
    #expect(try ArchiveReader(bytes: archive).extract(.names(name)).count == 1)
    #expect(try ArchiveReader(bytes: archive).extract(.glob("d/*")).count == 1)
    #expect(try ArchiveReader(bytes: archive).extract(.glob("./d/*")).count == 1)
    let twice = Tar.archive(Tar.entry("./f", [1]), Tar.entry("f", [2, 3]))
    #expect(try ArchiveReader(bytes: twice).extract()[name]?.size == 2)
  }
}

extension Bytes {
  /// The same archive with 0 for Unix in the first central header's "version made by".
  fileprivate var madeByDOS: Bytes {
    var copy = self
    if let start = indices.first(where: { self[$0...].starts(with: [0x50, 0x4B, 1, 2]) }) {
      copy[start + 5] = 0
    }
    return copy
  }
}
