internal import Libc
internal import SealedMemory
internal import SystemPackage

/// A source of the host's caller, whose bytes the host sends.
final class AskedSource: SeekableSource {
  private let channel: SourceChannel
  private let cancellations: [Cancellation]
  let size: Int64
  var position: Int64 = 0

  init(_ channel: SourceChannel, size: Int64, _ cancellations: [Cancellation]) {
    (self.channel, self.size, self.cancellations) = (channel, size, cancellations)
  }

  var progress: SourceProgress { SourceProgress(read: min(channel.bytesRead, size), total: size) }
  var isCostly: Bool { true }

  func read(at offset: Int64, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    for cancellation in cancellations { try cancellation.check() }
    let count = Int(max(0, min(Int64(buffer.byteCount), size - offset, Int64(SourceRequest.largest))))
    guard count > 0 else { return 0 }
    return try channel.read(SourceRequest(offset, count), into: &buffer)
  }
}

/// The worker's end of the socket on which the host answers; several threads may ask.
final class SourceChannel: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Both guarded by the monitor.
  private let channel: PacketChannel
  private var count: Int64 = 0

  init(_ socket: HeldDescriptor) { channel = PacketChannel(socket) }

  var bytesRead: Int64 { monitor.locked { count } }

  func read(_ request: SourceRequest, into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    let bytes = monitor.locked { () -> ArraySlice<UInt8> in
      do {
        try channel.send(request.bytes, waits: true) { _ in }
        let socket = FileDescriptor(rawValue: channel.socket.rawValue)
        // What the host waits for may be what it is told before.
        if try !SystemCalls.waitForInput(socket, milliseconds: 5) { IdleHook.begin() }
        guard let packet = try channel.receive(), packet.bytes.count <= 1 + request.count else { _exit(0) }
        count += Int64(packet.bytes.count - 1)
        return packet.bytes.dropFirst()
      } catch {
        // The host is gone.
        _exit(0)
      }
    }
    guard !bytes.isEmpty else { throw .sourceFailed("it cannot be read") }
    unsafe buffer.copy(bytes.span.bytes)
    return bytes.count
  }
}
