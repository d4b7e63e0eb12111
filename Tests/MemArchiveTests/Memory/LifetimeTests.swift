import Glibc
import MemArchive
import TestSupport
import Testing

/// Ownership of descriptors. These tests run optimized too, where a MemFile is released after its last use.
struct LifetimeTests {
  @Test func `withPath keeps a file alive whose last use it is`() throws {
    for round in 0..<200 {
      let content = try MemFile(name: "lifetime-path", bytes: Bytes("round \(round)".utf8)).withPath { path in
        disturb()
        return try Bytes(contentsOfFile: path)
      }
      #expect(content == Bytes("round \(round)".utf8))
    }
  }

  @Test func `withBytes keeps a file alive whose last use it is`() throws {
    for round in 0..<200 {
      let sum = try MemFile(name: "lifetime-bytes", bytes: Bytes(repeating: 1, count: 5000 + round)).withBytes
      { bytes in
        disturb()
        return bytes.withUnsafeBytes { $0.reduce(0) { $0 + Int($1) } }
      }
      #expect(sum == 5000 + round)
    }
  }

  @Test func `withFILE keeps a file alive whose last use it is`() throws {
    for _ in 0..<200 {
      let first = try MemFile(name: "lifetime-file", bytes: Bytes("z".utf8)).withFILE { stream in
        disturb()
        return getc(stream)
      }
      #expect(first == Int32(UInt8(ascii: "z")))
    }
  }

  @Test func `withPath on an extracted file outlives the dictionary it came from`() throws {
    let archive = Tar.archive(Tar.entry("lifetime-dictionary", Bytes("kept".utf8)))
    for _ in 0..<200 {
      let content = try ArchiveReader(bytes: archive).extract()["lifetime-dictionary"]?.withPath { path in
        disturb()
        return try Bytes(contentsOfFile: path)
      }
      #expect(content == Bytes("kept".utf8))
    }
  }

  /// In a process of its own: /proc may miss mappings while other tests map and unmap memory.
  @Test func `The last reference closes descriptor and mapping`() async {
    await #expect(processExitsWith: .success) {
      let label = "lifetime-last"
      var files: [MemFile] = []
      for _ in 0..<10 { files.append(try MemFile(name: label, bytes: Bytes(repeating: 3, count: 8192))) }
      for file in files where try file.content.count != 8192 { exit(1) }
      guard OpenFiles(labelled: label) == OpenFiles(descriptors: 10, mappings: 10) else { exit(2) }
      files = []
      guard OpenFiles(labelled: label) == .none else { exit(3) }
    }
  }

  /// Makes files that would reuse the number of a descriptor that was closed too early.
  private func disturb() {
    let others = (0..<4).compactMap { _ in try? MemFile(name: "lifetime-other", bytes: Bytes("other".utf8)) }
    withExtendedLifetime(others) {}
    let spare = (0..<4).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
    for descriptor in spare { close(descriptor) }
  }
}
