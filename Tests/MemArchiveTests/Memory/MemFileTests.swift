import CLinux
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// A finished file: sealed, readable in every way, unchangeable in any.
struct MemFileTests {
  @Test func `A file made from bytes has them, a size, a name and a path`() throws {
    let file = try MemFile(name: "hello.txt", bytes: Bytes("hello".utf8))
    #expect(file.size == 5)
    #expect(file.name == "hello.txt")
    #expect(file.entry == nil)
    #expect(try file.text == "hello")
    let read = try file.withPath { path in
      let number = try file.fileDescriptor.rawValue
      #expect(path == "/proc/self/fd/\(number)")
      return try Bytes(contentsOfFile: path)
    }
    #expect(read == Bytes("hello".utf8))
  }

  @Test func `An empty file is a file`() throws {
    let file = try MemFile(name: "", bytes: [])
    #expect(file.size == 0)
    #expect(try file.content == [])
    #expect(try file.withPath { try Bytes(contentsOfFile: $0) } == [])
  }

  @Test(.slow, arguments: ExtractionOptions.Fill.allCases, [0, 1, 4095, 4096, 4097, 3_000_000])
  func `However it was filled, the content is exact and sealed`(fill: ExtractionOptions.Fill, size: Int)
    throws
  {
    let body = Bytes((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    for archive in [Tar.archive(Tar.entry("f", body)), Gzip.member(body, name: "f")] {
      let files = try ArchiveReader(bytes: archive).extract(options: ExtractionOptions { $0.fill = fill })
      let file = try #require(files["f"])
      #expect(try file.content == body)
      #expect(file.size == size)
      #expect(try file.seals.isSuperset(of: .final))
      #expect(try clinux_get_seals(file.fileDescriptor.rawValue) == file.seals.rawValue)
    }
  }

  @Test func `Nothing can change it`() throws {
    let file = try MemFile(name: "sealed", bytes: Bytes(repeating: 7, count: 10_000))
    try withExtendedLifetime(file) {
      let own = try file.fileDescriptor.rawValue
      func refused(_ result: Int, _ errors: Int32...) -> Bool { result == -1 && errors.contains(errno) }
      #expect(refused(pwrite(own, "x", 1, 0), EPERM))
      #expect(refused(Int(ftruncate(own, 5)), EPERM))
      #expect(refused(Int(ftruncate(own, 20_000)), EPERM))
      #expect(posix_fallocate(own, 0, 20_000) == EPERM)
      #expect(refused(Int(clinux_add_seals(own, Int32(CLINUX_F_SEAL_FUTURE_WRITE))), EPERM))
      #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0) == MAP_FAILED)
      let path = try file.path
      let reopened = open(path, O_RDWR)
      if reopened >= 0 {
        #expect(refused(pwrite(reopened, "x", 1, 0), EPERM))
        close(reopened)
      } else {
        #expect(errno == EACCES)
      }
      #expect(refused(Int(truncate(path, 0)), EPERM, EACCES))
      #expect(try file.content == Bytes(repeating: 7, count: 10_000))
    }
  }

  @Test func `It cannot be executed unless that was asked for`() throws {
    let script = Bytes("#!/bin/sh\nexit 7\n".utf8)
    let plain = try MemFile(name: "plain", bytes: script)
    #expect(try plain.withPath { access($0, X_OK) } == -1)
    let program = try MemFile(name: "program", bytes: script, executable: true)
    #expect(try program.withPath { access($0, X_OK) } == 0)
    #expect(try !program.seals.contains(.exec))
  }

  @Test func `A duplicate and a reopened descriptor outlive the file`() throws {
    var file: MemFile? = try MemFile(name: "short-lived", bytes: Bytes("still here".utf8))
    let duplicate = try #require(try file?.duplicate())
    let inherited = try #require(try file?.duplicate(closeOnExec: false))
    let reopened = try #require(try file?.reopen())
    defer { for descriptor in [duplicate, inherited, reopened] { try? descriptor.close() } }
    let number = try #require(try file?.fileDescriptor.rawValue)
    file = nil
    #expect(fcntl(duplicate.rawValue, F_GETFD) == FD_CLOEXEC)
    #expect(fcntl(inherited.rawValue, F_GETFD) == 0)
    #expect(fcntl(reopened.rawValue, F_GETFL) & O_ACCMODE == O_RDONLY)
    for descriptor in [duplicate, inherited, reopened] {
      #expect(descriptor.rawValue != number)
      #expect(descriptor.rawValue > 2)
      var buffer = Bytes(repeating: 0, count: 20)
      #expect(pread(descriptor.rawValue, &buffer, 20, 0) == 10)
    }
  }

  @Test func `A reopened descriptor has an offset of its own`() throws {
    let file = try MemFile(name: "offsets", bytes: Bytes("0123456789".utf8))
    let (one, two) = (try file.reopen(), try file.reopen())
    defer { for descriptor in [one, two] { try? descriptor.close() } }
    try one.seek(offset: 5, from: .start)
    #expect(try two.seek(offset: 0, from: .current) == 0)
  }

  @Test func `A C stream reads the file, and another one at the same time`() throws {
    let file = try MemFile(name: "stream", bytes: Bytes("line 1\nline 2\n".utf8))
    try file.withFILE { outer in
      #expect(getc(outer) == Int32(UInt8(ascii: "l")))
      try file.withFILE { inner in
        var buffer = [CChar](repeating: 0, count: 64)
        #expect(fgets(&buffer, 64, inner) != nil)
        #expect(buffer.prefix(7).elementsEqual("line 1\n".utf8.map { CChar($0) }))
        #expect(fputc(65, inner) == EOF)
      }
      #expect(getc(outer) == Int32(UInt8(ascii: "i")))
    }
  }

  @Test(arguments: [
    ("a/b c.txt", "/a/b c.txt"), ("line\nbreak\u{7F}", "/line?break?"), ("/etc/x", "//etc/x"),
    ("../../etc/..x/x..y", "/??/??/etc/..x/x..y"), ("..", "/??"), ("€/..", "/€/??"), ("", "/"),
    (String(repeating: "x", count: 300) + ".db", "/" + String(repeating: "x", count: 245) + ".db"),
    (String(repeating: "€", count: 100), "/" + String(repeating: "€", count: 82)),
  ])
  func `The label in /proc is a path to nowhere that ends like the name`(name: String, label: String) throws {
    let file = try MemFile(name: name, bytes: [1])
    let target = try file.withPath { path in
      var buffer = [CChar](repeating: 0, count: 4096)
      let count = readlink(path, &buffer, 4095)
      return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    #expect(target == "/memfd:\(label) (deleted)")
    #expect(file.name == name)
  }

  @Test func `A body that throws is passed on`() throws {
    struct Mine: Error {}
    let file = try MemFile(name: "thrower", bytes: [1])
    #expect(throws: Mine.self) { try file.withPath { _ in throw Mine() } }
    #expect(throws: Mine.self) { try file.withBytes { _ in throw Mine() } }
    #expect(throws: Mine.self) { try file.withFILE { _ in throw Mine() } }
  }
}
