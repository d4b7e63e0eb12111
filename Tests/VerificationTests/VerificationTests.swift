import Foundation
import Glibc
import MemArchive
import MemArchiveVerification
import Synchronization
import TestSupport
import Testing

/// An archive is read only if it agrees with a digest or a signature, which the original programs have made.
struct VerificationTests {
  private static let archive = Fixture.path("tree.tar.gz")

  /// Runs a line of sh(1) where `$1` is the archive, in a directory that it leaves for `body`.
  private func withSigned(_ script: String, _ body: (_ directory: String) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      var command = Command("sh", "-euc", "\(script)", "sh", "\(Self.archive)")
      command.directory = directory
      let outcome = try command.run()
      try #require(outcome.end == .exit(0), "\(outcome)")
      try body(directory)
    }
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  private func expectRefusal(
    _ reason: String, _ verification: Verification, _ reader: ArchiveReader = ArchiveReader(path: archive),
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: ArchiveError.self, sourceLocation: sourceLocation) {
      _ = try reader.verified(by: verification)
    }
    #expect(error?.code == .notVerified, sourceLocation: sourceLocation)
    #expect(error?.reason.contains(reason) ?? false, "\(error as Any)", sourceLocation: sourceLocation)
  }

  private func expectReads(
    _ verification: Verification, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for sandbox in [ExtractionOptions.Sandbox.off, .required] {
      let reader = try ArchiveReader(path: Self.archive).verified(by: verification)
      let files = try reader.extract(options: ExtractionOptions(sandbox: sandbox))
      #expect(files["tree/hello.txt"]?.size == 21, sourceLocation: sourceLocation)
    }
  }

  @Test func `A SHA-256 of sha256sum verifies its archive and no other`() throws {
    try withSigned("sha256sum \"$1\" >sums") { directory in
      let hex = String(try text(directory + "/sums").prefix(64))
      try expectReads(.sha256(hex: hex))
      try expectReads(.sha256(hex: hex.uppercased()))
      let other = ArchiveReader(path: Fixture.path("zip-3mib.zip"))
      expectRefusal("its SHA-256 is ", try .sha256(hex: hex), other)
      expectRefusal(hex, try .sha256(hex: hex), other)
    }
    for wrong in ["", "ab", String(repeating: "g", count: 64), String(repeating: "a", count: 65)] {
      #expect(throws: ArchiveError.self) { _ = try Verification.sha256(hex: wrong) }
    }
  }

  /// Gives other bytes from the second time on that its first ones are asked for.
  private final class Changing: ArchiveSource {
    private let bytes: Bytes
    private let count = Mutex(0)
    init(_ bytes: Bytes) { self.bytes = bytes }
    var size: Int64 { Int64(bytes.count) }
    func read(at offset: Int64, into buffer: inout MutableRawSpan) -> Int {
      let times = count.withLock { count in
        count += offset == 0 ? 1 : 0
        return count
      }
      let range = Int(offset)..<Int(offset) + buffer.byteCount
      buffer.withUnsafeMutableBytes { target in
        target.copyBytes(from: times > 1 ? Bytes(repeating: 0, count: range.count) : Array(bytes[range]))
      }
      return range.count
    }
  }

  @Test func `A source of the caller's own is read once, and verified in memory`() throws {
    try withSigned("sha256sum \"$1\" >sums") { directory in
      let hex = String(try text(directory + "/sums").prefix(64))
      for sandbox in [ExtractionOptions.Sandbox.off, .required] {
        let source = Changing(try Fixture.bytes("tree.tar.gz"))
        let reader = try ArchiveReader(source: source).verified(by: .sha256(hex: hex))
        for _ in 0..<2 {
          let files = try reader.extract(options: ExtractionOptions(sandbox: sandbox))
          #expect(files["tree/hello.txt"]?.size == 21)
        }
        expectRefusal("its SHA-256 is ", try .sha256(hex: hex), ArchiveReader(source: source))
      }
    }
  }

  @Test(arguments: ["-H", "-l"])
  func `A signature of minisign`(_ kind: String) throws {
    try withSigned(
      """
      for name in one two; do minisign -G -W -p $name.pub -s $name.key >/dev/null; done
      cp "$1" a
      minisign -S \(kind) -s one.key -t 'release 7' -m a -x a.minisig
      """
    ) { directory in
      let signature = try Verification.Signature(parsing: text(directory + "/a.minisig"))
      let key = try Verification.PublicKey(parsing: text(directory + "/one.pub"))
      try expectReads(.signature(signature, key))
      #expect(try signature.trustedComment(of: key) == "release 7")

      let other = try Verification.PublicKey(parsing: text(directory + "/two.pub"))
      expectRefusal("it is signed by the key ", .signature(signature, other))
      #expect(throws: ArchiveError.self) { _ = try signature.trustedComment(of: other) }
      expectRefusal(
        "its signature is not of these bytes", .signature(signature, key),
        ArchiveReader(path: Fixture.path("zip-3mib.zip")))
      let forged = try text(directory + "/a.minisig").replacing("release 7", with: "release 8")
      expectRefusal("the trusted comment", .signature(try Verification.Signature(parsing: forged), key))
    }
  }

  @Test(arguments: ["sha512", "sha256"])
  func `A signature of ssh-keygen`(_ hash: String) throws {
    try withSigned(
      """
      for name in one two; do ssh-keygen -q -t ed25519 -N '' -C who -f $name; done
      ssh-keygen -q -t ecdsa -N '' -f other
      cp "$1" a
      ssh-keygen -q -Y sign -O hashalg=\(hash) -n file -f one a
      cp "$1" b
      ssh-keygen -q -Y sign -n file -f other b
      """
    ) { directory in
      let signature = try Verification.Signature(parsing: text(directory + "/a.sig"))
      let line = try text(directory + "/one.pub")
      let key = try Verification.PublicKey(parsing: line)
      try expectReads(.signature(signature, key))
      #expect(try Verification.PublicKey(parsing: "who@example namespaces=\"file\" \(line)") == key)
      #expect(try signature.trustedComment(of: key) == nil)

      expectRefusal(
        "another key",
        .signature(signature, try Verification.PublicKey(parsing: text(directory + "/two.pub"))))
      expectRefusal(
        "its signature is not of these bytes", .signature(signature, key),
        ArchiveReader(path: Fixture.path("zip-3mib.zip")))
      expectRefusal(
        "for \"file\", not for \"git\"",
        .signature(try Verification.Signature(parsing: text(directory + "/a.sig"), namespace: "git"), key))
      // Another algorithm.
      #expect(throws: ArchiveError.self) {
        _ = try Verification.Signature(parsing: text(directory + "/b.sig"))
      }
      #expect(throws: ArchiveError.self) {
        _ = try Verification.PublicKey(parsing: text(directory + "/other.pub"))
      }
    }
  }

  @Test func `A signature of OpenSSL, and the key's bytes`() throws {
    try withSigned(
      """
      openssl genpkey -algorithm ed25519 -out key.pem
      openssl pkey -in key.pem -pubout -outform DER | tail -c 32 >key.bin
      openssl pkeyutl -sign -rawin -inkey key.pem -in "$1" -out a.bin
      """
    ) { directory in
      let key = try Verification.PublicKey(
        ed25519: Array(Data(contentsOf: URL(filePath: directory + "/key.bin"))))
      let bytes = try Data(contentsOf: URL(filePath: directory + "/a.bin"))
      try expectReads(.signature(try Verification.Signature(ed25519: Array(bytes)), key))
      try expectReads(
        .signature(try Verification.Signature(parsing: bytes.base64EncodedString() + "\n"), key))
      for index in bytes.indices {
        var changed = Array(bytes)
        changed[index] ^= 1
        expectRefusal(
          "its signature is not of these bytes", .signature(try Verification.Signature(ed25519: changed), key)
        )
      }
    }
    for size in [0, 31, 33] {
      #expect(throws: ArchiveError.self) {
        _ = try Verification.PublicKey(ed25519: [UInt8](repeating: 0, count: size))
      }
    }
    #expect(throws: ArchiveError.self) {
      _ = try Verification.Signature(ed25519: [UInt8](repeating: 0, count: 63))
    }
  }

  @Test func `Whatever is cut off a signature or a key, it is refused, and nothing breaks`() throws {
    try withSigned(
      """
      minisign -G -W -p m.pub -s m.key >/dev/null
      ssh-keygen -q -t ed25519 -N '' -C '' -f s
      for name in m s; do cp "$1" $name.a; done
      minisign -S -s m.key -m m.a -x m.sig
      ssh-keygen -q -Y sign -n file -f s s.a && mv s.a.sig s.sig
      """
    ) { directory in
      for name in ["m", "s"] {
        let key = try text(directory + "/\(name).pub"), signature = try text(directory + "/\(name).sig")
        let whole = try Verification.PublicKey(parsing: key)
        for count in 0..<signature.count - 1 {
          guard let cut = try? Verification.Signature(parsing: String(signature.prefix(count))) else {
            continue
          }
          expectRefusal("", .signature(cut, whole))
        }
        for count in 0..<key.count - 2 {
          if let cut = try? Verification.PublicKey(parsing: String(key.prefix(count))) {
            #expect(cut == whole)
          }
        }
      }
    }
  }

  @Test func `What is verified is what is read, whatever becomes of the file`() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/a.tar.gz"
      let bytes = try Data(contentsOf: URL(filePath: Self.archive))
      try bytes.write(to: URL(filePath: path))
      let sum = try Program.shell("sha256sum \"$1\"", "\(path)").output.text.prefix(64)
      let reader = try ArchiveReader(path: path).verified(by: .sha256(hex: String(sum)))
      // In place, as a process would that has it open.
      let handle = try #require(FileHandle(forWritingAtPath: path))
      try handle.write(contentsOf: Data(repeating: 0, count: bytes.count))
      try handle.close()
      #expect(try reader.extract()["tree/hello.txt"]?.size == 21)
      #expect(throws: ArchiveError.self) { _ = try ArchiveReader(path: path).extract() }
    }
  }

  /// Exchanges the archive for another one of its size, and back, until it is killed; says so when it has begun.
  private static let exchange = """
    import os, sys
    contents = [open(name, "rb").read() for name in ("good", "bad")]
    archive = os.open("a", os.O_RDWR | os.O_CREAT)
    number = 0
    while True:
      for name, content in zip(("good", "bad"), contents):
        if sys.argv[1] == "in place":
          os.pwrite(archive, content, 0)
        else:
          os.link(name, "next")
          os.rename("next", "a")
      if not number:
        print("begun", flush=True)
      number += 1
    """

  @Test(arguments: ["in place", "by its name"])
  func `An archive that another process exchanges all the time is verified as it is read, or refused`(
    _ how: String
  ) throws {
    try withTemporaryDirectory { directory in
      for (name, letter) in [("good", "a"), ("bad", "b")] {
        let body = Bytes(repeating: Character(letter).asciiValue ?? 0, count: 100_000)
        try Data(Tar.archive(Tar.entry("f", body))).write(to: URL(filePath: directory + "/" + name))
      }
      let sum = try Program.shell("sha256sum good", in: directory).output.text.prefix(64)
      var command = Command("python3", "-c", ByteString(Self.exchange.utf8), ByteString(how.utf8))
      command.directory = directory
      let pipe = Pipe()
      command.output = .file("/proc/self/fd/\(pipe.fileHandleForWriting.fileDescriptor)")
      let running = try command.start()
      try pipe.fileHandleForWriting.close()
      defer {
        kill(-running.pid, SIGKILL)
        _ = try? running.wait()
      }
      try #require(pipe.fileHandleForReading.availableData == Data("begun\n".utf8))
      var (verified, refused) = (0, 0)
      for number in 0..<5000 where verified < 100 || refused < 100 {
        do {
          let reader = try ArchiveReader(path: directory + "/a").verified(by: .sha256(hex: String(sum)))
          let sandbox: ExtractionOptions.Sandbox = number.isMultiple(of: 20) ? .required : .off
          let file = try #require(
            try reader.extract(options: ExtractionOptions(sandbox: sandbox))["f"])
          #expect(try file.withBytes { $0.withUnsafeBytes { $0.allSatisfy { $0 == UInt8(ascii: "a") } } })
          verified += 1
        } catch let error as ArchiveError {
          #expect(error.code == .notVerified, "\(error)")
          refused += 1
        }
      }
      #expect(verified > 0 && refused > 0, "\(verified) verified, \(refused) refused")
    }
  }

  @Test func `Each kind of source is verified, but for several files`() throws {
    let bytes = Array(try Data(contentsOf: URL(filePath: Self.archive)))
    let sum = try Program.shell("sha256sum \"$1\"", "\(Self.archive)").output.text.prefix(64)
    let verification = try Verification.sha256(hex: String(sum))
    let file = try MemFile(name: "a", bytes: bytes)
    try file.withPath { path in
      for reader in [
        ArchiveReader(bytes: bytes), ArchiveReader(contentsOf: file), ArchiveReader(path: path),
        ArchiveReader(descriptor: try file.fileDescriptor),
      ] {
        #expect(try reader.verified(by: verification).extract()["tree/hello.txt"]?.size == 21)
      }
    }
    expectRefusal("several files", verification, ArchiveReader(paths: [Self.archive]))
    let error = #expect(throws: ArchiveError.self) {
      _ = try ArchiveReader(bytes: bytes).verified(by: verification, limits: ExtractionLimits(heldBytes: 10))
    }
    #expect(error?.code == .limitExceeded)
  }
}
