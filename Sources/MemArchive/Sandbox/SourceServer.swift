internal import Libc
internal import SealedMemory
internal import Synchronization
internal import SystemPackage

/// The host's answers to a worker that reads a caller's source, on a socket and a thread of their own: neither waits for the
/// messages about entries, so that no side can wait for the other.
///
/// The worker gets copies of the bytes. It may ask for any part, which tells it nothing that it may not know, and is refused whatever
/// is not one.
final class SourceServer {
  /// The worker's end of the socket.
  let descriptor: HeldDescriptor
  let size: Int64
  private let service: Service
  private var thread: JoinableThread?

  init(_ source: RequestedSource) throws(ArchiveError) {
    do throws(Errno) {
      let (own, theirs) = try WorkerTemplate.packetSockets()
      descriptor = theirs
      service = Service(source, PacketChannel(own))
    } catch {
      throw .system("socketpair", error, doing: "reading the archive for a sandboxed worker")
    }
    size = source.size
    let service = service
    thread = try JoinableThread.start { service.run() }
  }

  deinit {
    service.stop()
    thread.take()?.join()
  }

  /// Whether the worker waits for the source.
  var isReading: Bool { service.state.withLock { $0.isReading } }
  /// Why the source cannot be read any more.
  var failure: ArchiveError? { service.state.withLock { $0.failure } }
  /// What the worker asked for that it may not, as the end of a sentence.
  var violation: String? { service.state.withLock { $0.violation } }

  /// Used only by the thread, except `stop` and the state.
  private final class Service: @unchecked Sendable {
    struct State {
      var isReading = false
      var failure: ArchiveError?
      var violation: String?
    }

    let state = Mutex(State())
    private let source: RequestedSource
    private let channel: PacketChannel

    init(_ source: RequestedSource, _ channel: PacketChannel) {
      (self.source, self.channel) = (source, channel)
    }

    func stop() {
      shutdown(channel.socket.rawValue, CInt(SHUT_RDWR))
      source.stop()
    }

    /// Answers until the socket is shut down, or the worker breaks the rules.
    func run() {
      do throws(PacketChannel.Failure) {
        while let packet = try channel.receive() {
          guard packet.descriptors.isEmpty, let request = SourceRequest(packet.bytes, size: source.size)
          else {
            throw .violation("asked for what is not a part of the archive")
          }
          guard answer(request) else { return }
        }
      } catch {
        if case .violation(let reason) = error { state.withLock { $0.violation = reason } }
        shutdown(channel.socket.rawValue, CInt(SHUT_RDWR))
      }
    }

    /// False if the worker is gone.
    private func answer(_ request: SourceRequest) -> Bool {
      var bytes: [UInt8]
      state.withLock { $0.isReading = true }
      do throws(ArchiveError) {
        bytes = [UInt8](repeating: 0, count: 1 + request.count)
        let count = try source.read(at: request.offset, into: &bytes, from: 1)
        bytes.removeSubrange((1 + count)...)
      } catch {
        state.withLock { $0.failure = $0.failure ?? error }
        bytes = []
      }
      // A worker that does not take its answer is not waiting for the source.
      state.withLock { $0.isReading = false }
      // A source that fails has no byte; the first one is there because no packet is empty.
      do throws(PacketChannel.SendFailure) {
        try channel.send(bytes.isEmpty ? [0] : bytes, waits: true) { error throws(ArchiveError) in
          throw .system("sendmsg", error, doing: "sending to the sandboxed worker")
        }
        return true
      } catch {
        return false
      }
    }
  }
}

/// What a worker asks for: a part of the source.
struct SourceRequest {
  /// Bytes of one answer, with one in front of them.
  static let largest = PacketChannel.largest - 1

  let offset: Int64
  let count: Int

  init(_ offset: Int64, _ count: Int) { (self.offset, self.count) = (offset, count) }

  /// A worker's bytes; nil if they are not a request for a part.
  init?(_ bytes: ArraySlice<UInt8>, size: Int64) {
    var reader = BinaryDecoder(Array(bytes))
    guard let offset = try? reader.number(Int64.self), let count = try? reader.number(UInt32.self),
      (try? reader.finish()) != nil, offset >= 0, offset < size, count > 0, count <= Self.largest
    else { return nil }
    self.init(offset, Int(count))
  }

  var bytes: [UInt8] {
    var writer = BinaryEncoder()
    writer.put(offset)
    writer.put(UInt32(count))
    return writer.bytes
  }
}
