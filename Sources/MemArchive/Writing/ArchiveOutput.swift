internal import Libc
internal import SealedMemory
internal import SystemPackage

/// Where the bytes of an archive go.
protocol ArchiveTarget: AnyObject {
  func write(_ bytes: RawSpan) throws(ArchiveError)
}

/// The bytes of an archive that is being written, put together into large pieces.
final class ArchiveOutput {
  private let target: any ArchiveTarget
  private var pending: [UInt8] = []
  /// The number of bytes so far.
  private(set) var count: Int64 = 0

  private static let pieceSize = 128 << 10

  init(to target: any ArchiveTarget) {
    self.target = target
    pending.reserveCapacity(Self.pieceSize)
  }

  func write(_ bytes: [UInt8]) throws(ArchiveError) { try unsafe write(bytes.span.bytes) }

  func write(_ bytes: RawSpan) throws(ArchiveError) {
    count += Int64(bytes.byteCount)
    if pending.count + bytes.byteCount > Self.pieceSize { try flush() }
    if bytes.byteCount >= Self.pieceSize { return try target.write(bytes) }
    unsafe bytes.withUnsafeBytes { unsafe pending.append(contentsOf: $0) }
  }

  func flush() throws(ArchiveError) {
    guard !pending.isEmpty else { return }
    var bytes: [UInt8] = []
    swap(&bytes, &pending)
    try unsafe target.write(bytes.span.bytes)
    bytes.removeAll(keepingCapacity: true)
    swap(&bytes, &pending)
  }
}

/// A descriptor of the caller's.
final class DescriptorTarget: ArchiveTarget {
  private let descriptor: FileDescriptor
  private let cancellation: Cancellation
  private enum Kind { case file, socket, other }
  private let kind: Kind

  init(_ descriptor: FileDescriptor, _ cancellation: Cancellation) throws(ArchiveError) {
    (self.descriptor, self.cancellation) = (descriptor, cancellation)
    do throws(Errno) {
      kind =
        switch try Stat(descriptor).type {
        case .regular, .blockSpecial: .file
        case .socket: .socket
        default: .other
        }
    } catch {
      throw .system("fstat", error, doing: "writing the archive")
    }
  }

  func write(_ bytes: RawSpan) throws(ArchiveError) {
    var written = 0
    while written < bytes.byteCount {
      try cancellation.check()
      // Whatever takes the bytes may stall forever, so cancellation is checked ten times a second.
      guard try isReady() else { continue }
      let most = kind == .other ? Self.pipeRoom : bytes.byteCount
      let rest = bytes.extracting(written..<min(bytes.byteCount, written + most))
      do throws(Errno) {
        written += try SystemCalls.writeQuietly(rest, to: descriptor, isSocket: kind == .socket)
      } catch .wouldBlock {
        // Another writer was faster.
        continue
      } catch {
        throw .writing(error)
      }
    }
  }

  /// What fits into a pipe that poll(2) says is ready, without waiting: PIPE_BUF, pipe(7).
  private static let pipeRoom = 4096

  private func isReady() throws(ArchiveError) -> Bool {
    guard kind != .file else { return true }
    do throws(Errno) {
      return try SystemCalls.wait(for: Int32(POLLOUT), on: descriptor, milliseconds: 100)
    } catch {
      throw .system("poll", error, doing: "writing the archive")
    }
  }
}

/// A file in memory, sealed at the end.
final class MemoryTarget: ArchiveTarget {
  private let name: String
  private var region: Region?
  private var size: Int64 = 0

  init(_ name: String, _ context: ExtractionContext) throws(ArchiveError) {
    self.name = name
    let factory = MemFileFactory(
      ExtractionOptions {
        $0.storage = .dedicated
        $0.fill = .written
      }, ledger: context.ledger)
    region = try Region.create(factory, name: name, declaredSize: nil)
  }

  func write(_ bytes: RawSpan) throws(ArchiveError) {
    try region?.write(bytes, at: size)
    size += Int64(bytes.byteCount)
  }

  /// To be called once.
  func finish() throws(ArchiveError) -> MemFile {
    MemFile(try region.take()!.seal(size: size), name: name, entry: nil)
  }
}

extension ArchiveError {
  fileprivate static func writing(_ errno: Errno) -> Self {
    switch errno {
    case .noSpace, .diskQuotaExceeded:
      Self(
        .system, "there is no room where the archive is written", call: "write", errno: errno,
        advice: "Free some, or write it elsewhere.")
    case .brokenPipe, .connectionReset:
      Self(
        .system, "the reader of the archive is gone", call: "write", errno: errno,
        advice: "Look why it ended; what it has read is no whole archive.")
    default: .system("write", errno, doing: "writing the archive")
    }
  }
}
