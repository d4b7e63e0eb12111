// An optimised build has no @testable modules.
#if TESTABLE
import CLinux
import Glibc
import SealedMemory
import SystemPackage

@testable import MemArchive

/// The worker's end of the socket, for words that no honest worker says.
final class Liar {
  let socket = CInt(CLINUX_WORKER_SOCKET)
  private let channel = PacketChannel(HeldDescriptor(FileDescriptor(rawValue: CInt(CLINUX_WORKER_SOCKET))))

  /// Where the host is asked for the archive, if that is what it sent.
  private var archive: PacketChannel?

  /// Takes the request.
  init() throws {
    var records = RecordBuffer()
    repeat {
      guard let packet = try channel.receive() else { return }
      archive = packet.descriptors.first.map { PacketChannel($0) } ?? archive
      records.append(packet.bytes)
    } while try records.next() == nil
  }

  /// Says that it is locked in, and has opened the archive.
  func begin(version: String = PlatformReport.memArchiveVersion) throws {
    let protection = SandboxProtection(landlock: 7, seccomp: true, diesFirst: true)
    try say(.ready(version: version, protection), .opened(comment: nil))
  }

  func say(_ messages: WorkerMessage..., with files: [CInt] = []) throws {
    var writer = BinaryEncoder()
    for message in messages { message.encode(to: &writer) }
    try send(writer.bytes, files)
  }

  /// Asks the host for a part of the archive.
  func ask(_ words: [UInt8], with files: [CInt] = []) throws {
    try archive?.send(words, files, waits: true) { _ in sched_yield() }
  }

  /// The host's answer.
  func answer() throws -> ArraySlice<UInt8> { try archive?.receive()?.bytes ?? [] }

  /// Sends bytes as an honest worker does, in several packets where they are many.
  func send(_ bytes: [UInt8], _ files: [CInt] = []) throws {
    try channel.send(bytes, files, waits: true) { _ in sched_yield() }
  }

  /// Sends one packet with whatever is in front of it.
  func sendPacket(_ header: [UInt8], _ bytes: [UInt8] = [], _ files: [CInt] = []) throws {
    try PacketChannel.send(header + bytes, files, on: socket)
  }

  /// Sends one packet with more descriptors than the product's calls do; cmsg(3).
  func sendPacket(_ bytes: [UInt8], withAll files: [CInt]) {
    var control = BinaryEncoder()
    control.put(MemoryLayout<cmsghdr>.size + files.count * MemoryLayout<CInt>.size)
    control.put(CInt(SOL_SOCKET))
    // SCM_RIGHTS.
    control.put(CInt(1))
    for file in files { control.put(file) }
    var (bytes, ancillary) = (bytes, control.bytes)
    bytes.withUnsafeMutableBytes { bytes in
      ancillary.withUnsafeMutableBytes { ancillary in
        var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        withUnsafeMutablePointer(to: &vector) { vector in
          var message = msghdr()
          (message.msg_iov, message.msg_iovlen) = (vector, 1)
          (message.msg_control, message.msg_controllen) = (ancillary.baseAddress, ancillary.count)
          sendmsg(socket, &message, 0)
        }
      }
    }
  }

  func takeAllThatWaits() throws {
    while try SystemCalls.waitForInput(FileDescriptor(rawValue: socket), milliseconds: 0) {
      _ = try channel.receive()
    }
  }
}

/// A record, whatever is in it.
func record(_ payload: [UInt8]) -> [UInt8] {
  var writer = BinaryEncoder()
  writer.record { writer in for byte in payload { writer.put(byte) } }
  return writer.bytes
}

extension WorkerMessage {
  /// What is in its record.
  var payload: [UInt8] {
    var writer = BinaryEncoder()
    encode(to: &writer)
    return Array(writer.bytes.dropFirst(4))
  }

  /// A file's header.
  static func header(
    _ name: String = "a", size: Int64 = 3, attribute: Int? = nil, answer: Answer = .yes
  ) -> Self {
    let details = attribute.map { count in
      var details = ArchiveEntry.Details()
      details.attributes = [.init(name: "user.a", value: [UInt8](repeating: 0x78, count: count))]
      return ArchiveEntry.Shared(details)
    }
    return .entry(ArchiveEntry(.init(name: name, kind: .file, size: size, details: details)), answer)
  }

  static func own(position: Int64 = 0, size: Int64 = 3) -> Self {
    .file(position: position, size: size, .own)
  }

  static func packed(position: Int64 = 0, size: Int64 = 3, slab: UInt32 = 1, offset: Int64 = 0) -> Self {
    .file(position: position, size: size, .packed(slab: slab, offset: offset))
  }

  static func slab(size: Int64 = 3) -> Self { .slab(1, size: size) }

  static func note(_ words: String, position: Int64? = nil) -> Self {
    .failed(.corrupt(words), position: position)
  }

  static func warning(_ words: String) -> Self { .warning(ArchiveWarning(.oddity, entry: nil, words)) }
}

/// A new file in memory.
func memfd(
  _ content: [UInt8] = Array("abc".utf8),
  seals: Int = CLINUX_F_SEAL_SEAL | CLINUX_F_SEAL_SHRINK | CLINUX_F_SEAL_GROW | CLINUX_F_SEAL_WRITE
) -> CInt {
  let descriptor = clinux_memfd_create("lie", CUnsignedInt(CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING))
  _ = write(descriptor, content, content.count)
  if seals != 0 { _ = clinux_add_seals(descriptor, CInt(seals)) }
  return descriptor
}
#endif
