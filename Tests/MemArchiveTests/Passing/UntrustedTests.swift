import CLinux
import Glibc
import MemArchive
import SystemPackage
import TestSupport
import Testing

/// Descriptors from a malicious sender: each is refused with `untrusted`, and nothing of it is left.
struct UntrustedTests {
  /// A descriptor of the test's own, closed with it.
  final class Own {
    let number: CInt
    init(_ number: CInt) throws {
      try #require(number >= 0, "errno \(errno)")
      self.number = number
    }
    deinit { close(number) }
  }

  private static let allSeals =
    CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_SEAL

  private func memfd(
    _ size: Int = 4,
    seals: Int = CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_SEAL,
    flags: Int = 0, filled: Bool = true
  ) throws -> Own {
    let own = try Own(
      clinux_memfd_create("untrusted", UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING | flags)))
    if filled {
      try #require(write(own.number, [UInt8](repeating: 7, count: size), size) == size)
    } else {
      try #require(ftruncate(own.number, off_t(size)) == 0)
    }
    if seals != 0 { try #require(clinux_add_seals(own.number, CInt(seals)) == 0) }
    return own
  }

  private func code(_ own: Own, _ limits: ExtractionLimits = ExtractionLimits()) -> ArchiveError.Code? {
    do {
      _ = try MemFile(name: "x", verifying: FileDescriptor(rawValue: own.number), limits: limits)
      return nil
    } catch {
      return error.code
    }
  }

  @Test(arguments: [CLINUX_F_SEAL_SHRINK, CLINUX_F_SEAL_GROW, CLINUX_F_SEAL_WRITE, CLINUX_F_SEAL_SEAL])
  func `Each seal is required`(missing: Int) throws {
    let memfd = try memfd(seals: Self.allSeals & ~missing)
    let error = #expect(throws: ArchiveError.self) {
      try MemFile(name: "x", verifying: FileDescriptor(rawValue: memfd.number))
    }
    #expect(error?.code == .untrusted)
    let name = MemFile.Seals(rawValue: CInt(missing)).description
    #expect(error?.reason == "what was received lacks the seals \(name)")
  }

  @Test func `Additional seals are accepted, and FUTURE_WRITE replaces none`() throws {
    #expect(code(try memfd()) == nil)
    #expect(code(try memfd(seals: Self.allSeals | CLINUX_F_SEAL_FUTURE_WRITE)) == nil)
    let weak = Self.allSeals & ~CLINUX_F_SEAL_WRITE | CLINUX_F_SEAL_FUTURE_WRITE
    #expect(code(try memfd(seals: weak)) == .untrusted)
  }

  @Test func `Files that are not sealed memory files are refused`() throws {
    var ends: [CInt] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (try Own(ends[0]), try Own(ends[1]))
    #expect(code(reading) == .untrusted)
    #expect(code(writing) == .untrusted)
    for path in ["/", "/dev/null", "/proc/self/maps", "/etc/hostname", "/proc/self/exe"] {
      #expect(code(try Own(open(path, O_RDONLY | O_CLOEXEC))) == .untrusted, "\(path)")
    }
    #expect(code(try Own(socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0))) == .untrusted)
  }

  @Test func `A descriptor that cannot be read is refused`() throws {
    let memfd = try memfd()
    let path = "/proc/self/fd/\(memfd.number)"
    #expect(code(try Own(open(path, O_WRONLY | O_CLOEXEC))) == .untrusted)
    let pathOnly = CInt(0o10000000)  // O_PATH
    #expect(code(try Own(open(path, pathOnly | O_CLOEXEC))) == .untrusted)
    #expect(code(try Own(open(path, O_RDONLY | O_CLOEXEC))) == nil)
  }

  @Test func `Huge pages are refused although they carry every seal`() throws {
    // MFD_HUGETLB; an empty one needs no page. Without huge pages in the kernel there is nothing to refuse.
    let descriptor = clinux_memfd_create("huge", UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING | 4))
    guard descriptor >= 0 else { return }
    let own = try Own(descriptor)
    try #require(clinux_add_seals(own.number, CInt(Self.allSeals)) == 0)
    #expect(code(own) == .untrusted)
  }

  @Test func `A hole costs what it could become, and 8 EiB of it are refused at once`() throws {
    #expect(code(try memfd(1 << 20, filled: false), ExtractionLimits(heldBytes: 1 << 20)) == nil)
    #expect(
      code(try memfd(1 << 20, filled: false), ExtractionLimits(heldBytes: 1 << 20 - 1)) == .limitExceeded)
    #expect(code(try memfd(.max, filled: false)) == .limitExceeded)
  }

  @Test func `A lease that would block opening the path is detected`() throws {
    // This signal tells the lease holder that the file is being opened, fcntl(2).
    signal(SIGIO, SIG_IGN)
    // A write lease needs a single opener, and is not granted on the descriptor that made the file.
    var made: Own? = try memfd()
    let only = try Own(open("/proc/self/fd/\(made?.number ?? -1)", O_RDONLY | O_CLOEXEC))
    made = nil
    let setLease = CInt(1024)  // F_SETLEASE
    try #require(fcntl(only.number, setLease, F_WRLCK) == 0, "errno \(errno)")
    #expect(code(only) == .untrusted)
    // The attempt to open the file has begun to break it.
    try #require(fcntl(only.number, setLease, F_UNLCK) == 0)
    let file = try MemFile(name: "x", verifying: FileDescriptor(rawValue: only.number))
    // No lease can be taken from then on.
    #expect(fcntl(only.number, setLease, F_WRLCK) == -1 && errno == EAGAIN)
    #expect(try file.withPath { try FileDescriptor.open($0, .readOnly).closeAfter { true } })
  }

  // MARK: Messages

  private func message(
    count: UInt16 = 1, more: UInt16 = 0, length: UInt32? = nil, size: UInt64 = 4,
    name: Bytes = Bytes("x".utf8),
    nameLength: UInt32? = nil, magic: String = "MemFile\u{1}"
  ) -> Bytes {
    var bytes = Bytes(magic.utf8)
    func put<Value: FixedWidthInteger>(_ value: Value) {
      withUnsafeBytes(of: value.littleEndian) { bytes += Bytes($0) }
    }
    put(count)
    put(more)
    put(length ?? UInt32(28 + name.count))
    put(size)
    put(nameLength ?? UInt32(name.count))
    return bytes + name
  }

  private func code(_ bytes: Bytes, _ descriptors: [Own]) throws -> ArchiveError.Code? {
    let pair = try SocketPair()
    let numbers = descriptors.map(\.number)
    let sent = clinux_send_descriptors(pair.one.rawValue, bytes, bytes.count, numbers, numbers.count, 1)
    try #require(sent == bytes.count)
    pair.closeOne()
    do {
      _ = try MemFile.receive(from: pair.other)
      return nil
    } catch {
      return error.code
    }
  }

  @Test func `A message that contradicts itself is refused`() throws {
    let one = try memfd()
    #expect(try code(message(), [one]) == nil)
    #expect(try code(message(), []) == .untrusted)
    #expect(try code(message(), [one, one]) == .untrusted)
    #expect(try code(message(count: 2), [one, one]) == .untrusted)
    #expect(try code(message(count: 65_535), [one]) == .untrusted)
    #expect(try code(message(size: 5), [one]) == .untrusted)
    #expect(try code(message(size: .max), [one]) == .untrusted)
    #expect(try code(message(magic: "MemFile\u{2}"), [one]) == .untrusted)
    #expect(try code(message(nameLength: 2), [one]) == .untrusted)
    #expect(try code(message(nameLength: 0), [one]) == .untrusted)
    #expect(try code(message(nameLength: .max), [one]) == .untrusted)
    #expect(try code(message(length: 28), [one]) == .untrusted)
    #expect(try code(message(length: .max), [one]) == .untrusted)
    #expect(try code(message(name: [0xFF]), [one]) == .untrusted)
    #expect(try code(message(), [try memfd(seals: 0)]) == .untrusted)
    #expect(try code(Bytes("x".utf8), [one]) == .untrusted)
    #expect(try code(Bytes(repeating: 0, count: 200), [one]) == .untrusted)
    // The sender ends within a message, or within a batch.
    #expect(try code(message(length: 30), [one]) == .truncated)
    #expect(try code(message(more: 1), [one]) == .truncated)
    #expect(try code(message(count: 0, more: 1, length: 16).prefix(16) + [], []) == .untrusted)
  }

  @Test func `More descriptors than a message of ours has are refused, and all are closed`() throws {
    let label = "flood-of-descriptors"
    let descriptor = try Own(
      clinux_memfd_create("/" + label, UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING)))
    #expect(try code(message(), Array(repeating: descriptor, count: 253)) == .untrusted)
    #expect(OpenFiles(labelled: label) == OpenFiles(descriptors: 1, mappings: 0))
  }

  @Test func `Refused files leave no descriptor behind`() throws {
    let label = "refused-unsealed"
    let descriptor = try Own(
      clinux_memfd_create("/" + label, UInt32(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING)))
    try #require(write(descriptor.number, "four", 4) == 4)
    for _ in 0..<20 {
      #expect(code(descriptor) == .untrusted)
      #expect(try code(message(), [descriptor]) == .untrusted)
    }
    #expect(OpenFiles(labelled: label) == OpenFiles(descriptors: 1, mappings: 0))
  }
}
