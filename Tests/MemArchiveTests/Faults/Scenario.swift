import CFaults
import CZlib
import Foundation
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// An extraction, small enough to be repeated for every system call that it makes.
struct Scenario: CustomTestStringConvertible, Sendable, Codable {
  enum Source: String, Codable, Sendable { case path, descriptor, pipe }

  let name: String
  var source = Source.path
  var storage = Storage.automatic
  var isMapped = false
  var parallelism = 1
  /// Whether each file is also asked for a path.
  var usesPaths = false

  enum Storage: String, Codable, Sendable { case automatic, dedicated, packed }

  var testDescription: String { name }
  var hasArchiveFile: Bool { source != .pipe }
  /// The expected verdict if a thread is refused: liblzma fails once it has started one.
  var lackOfThreads: Fault.Verdict { name.hasPrefix("xz") ? .successOr([.outOfMemory]) : .success }
  /// Whether changed content is detected.
  var isChecked: Bool { !name.hasPrefix("tar ") }

  var options: ExtractionOptions {
    let storage: ExtractionOptions.Storage =
      switch storage {
      case .automatic: .automatic
      case .dedicated: .dedicated
      case .packed: .packed
      }
    // Independent of the machine's numbers.
    return ExtractionOptions {
      $0.limits = ExtractionLimits()
      $0.fill = isMapped ? .mapped : .automatic
      $0.storage = storage
      $0.parallelism = parallelism
    }
  }

  static let all: [Scenario] = [
    Scenario(name: "zip on one thread", storage: .dedicated),
    Scenario(name: "zip on three threads", parallelism: 3),
    Scenario(name: "zip packed", storage: .packed, parallelism: 2, usesPaths: true),
    Scenario(name: "zip mapped", source: .descriptor, storage: .dedicated, isMapped: true),
    Scenario(name: "tar.gz with a decoder's thread", storage: .dedicated, parallelism: 2),
    Scenario(name: "tar.gz from a pipe", source: .pipe, parallelism: 2),
    Scenario(name: "tar packed", storage: .packed, usesPaths: true),
    Scenario(name: "tar with a large file", storage: .dedicated),
    Scenario(name: "7z", storage: .dedicated), Scenario(name: "xz of several blocks", parallelism: 2),
  ]

  /// The archive's bytes.
  var archive: Bytes {
    get throws {
      switch name.split(separator: " ")[0] {
      case "zip":
        // More than one batch, so that threads start.
        return Zip.archive([
          .init("fault-0", Bytes("zero".utf8)), .init("fault-1", Bytes(repeating: 1, count: 530_000)),
          .init("fault-2", Bytes(repeating: 2, count: 540_000)), .init("fault-3", Bytes("three".utf8)),
        ])
      case "tar.gz":
        return Gzip.member(
          Tar.archive(
            Tar.entry("fault-a", Bytes(repeating: 1, count: 400_000)), Tar.entry("fault-b", Bytes("b".utf8)),
            Tar.entry("fault-c", Bytes(repeating: 3, count: 70_000))))
      case "tar" where name.hasSuffix("packed"):
        return Tar.archive(
          Tar.entry("fault-a", Bytes(repeating: 1, count: 300_000)), Tar.entry("fault-b", Bytes("b".utf8)),
          Tar.entry("fault-c", Bytes(repeating: 3, count: 1_100_000)))
      case "tar":
        return Tar.archive(
          Tar.entry("fault-large", Bytes(repeating: 1, count: 4_200_000)),
          Tar.entry("fault-b", Bytes("b".utf8)))
      case "7z": return try Fixture.bytes("7z-lzma2.7z")
      default: return try Fixture.bytes("big-blocks.tar.xz")
      }
    }
  }
}

/// A scenario that can be run again and again, with its archive in a file.
final class Rehearsal {
  private let scenario: Scenario
  private let bytes: Bytes
  private let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
  /// The archive, open for writing.
  let file: CInt
  private var reader: ArchiveReader?
  private var pipe: CInt?
  private(set) var result: Result<MemFiles, ArchiveError>?

  init(_ scenario: Scenario) throws {
    self.scenario = scenario
    bytes = try scenario.archive
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Errno(rawValue: errno) }
    try prepare()
  }

  deinit {
    if let pipe { close(pipe) }
    close(file)
    unlink(path)
  }

  /// Restores the archive, releases the previous result, and prepares a pipe.
  func prepare() throws {
    result = nil
    if let pipe { close(pipe) }
    pipe = nil
    switch scenario.source {
    case .path: reader = ArchiveReader(path: path)
    case .descriptor: reader = ArchiveReader(descriptor: FileDescriptor(rawValue: file))
    case .pipe:
      // Large enough for all of it: a thread to fill it would be another source of system calls.
      var ends: [CInt] = [0, 0]
      guard Glibc.pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
      defer { close(ends[1]) }
      pipe = ends[0]
      guard fcntl(ends[1], CInt(CFAULTS_F_SETPIPE_SZ), 1 << 20) >= bytes.count,
        bytes.withUnsafeBytes({ write(ends[1], $0.baseAddress, $0.count) }) == bytes.count
      else { throw Errno(rawValue: errno) }
      reader = ArchiveReader(descriptor: FileDescriptor(rawValue: ends[0]))
      return
    }
    guard ftruncate(file, off_t(bytes.count)) == 0,
      bytes.withUnsafeBytes({ pwrite(file, $0.baseAddress, $0.count, 0) }) == bytes.count
    else { throw Errno(rawValue: errno) }
  }

  /// Extracts, with or without a plan; the outcome is in `result`.
  func run() {
    guard let reader else { return }
    do throws(ArchiveError) {
      let files = try reader.extract(options: scenario.options)
      if scenario.usesPaths { for (_, file) in files { _ = try file.fileDescriptor } }
      result = .success(files)
    } catch {
      result = .failure(error)
    }
  }

  /// The names, sizes and checksums of the extracted files.
  func contents() throws -> [String] {
    guard case .success(let files) = result else { return [] }
    return try files.map { name, file in
      let checksum = try file.withBytes { bytes in
        bytes.withUnsafeBytes {
          crc32(0, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt32($0.count))
        }
      }
      return "\(name) \(file.size) \(checksum)"
    }
  }
}
