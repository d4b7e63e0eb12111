internal import SealedMemory
internal import SystemPackage

/// One end of the socket between host and worker: packets of bytes and descriptors, each headed by its number and its number
/// of descriptors.
final class PacketChannel {
  /// Bytes of a packet besides the header; several packets fit into the socket's buffer.
  static let largest = 48 << 10
  /// Upper bound of the descriptors of one packet.
  static let mostDescriptors = 64
  private static let headerSize = 8
  /// Packet numbers outside of the sequence: a sign of life, and the report of a refused system call.
  static let alive: UInt32 = .max - 1
  static let last: UInt32 = .max

  struct Packet {
    let number: UInt32
    /// A part of the channel's buffer, which the next packet reuses if this one has been released.
    let bytes: ArraySlice<UInt8>
    let descriptors: [HeldDescriptor]
  }

  enum Failure: Error {
    case system(Errno)
    case ended
    /// The peer broke the protocol.
    case violation(String)
    /// Descriptors did not arrive, because this process's table is full.
    case descriptorsLost
  }

  let socket: HeldDescriptor
  private var sent: UInt32 = 0
  private var taken: UInt32 = 0
  /// Not filled: most packets are small, and its pages are then never touched.
  private var buffer = unsafe [UInt8](unsafeUninitializedCapacity: headerSize + largest) {
    $1 = headerSize + largest
  }

  init(_ socket: HeldDescriptor) { self.socket = socket }

  static func header(_ number: UInt32, descriptors: Int = 0) -> [UInt8] {
    var writer = BinaryEncoder()
    writer.put(number)
    writer.put(UInt32(clamping: descriptors))
    return writer.bytes
  }

  /// Sends bytes, in several packets if necessary; the descriptors go with the first.
  ///
  /// - Parameters:
  ///   - waits: Whether to wait for room in the socket; otherwise `retry` is called with `wouldBlock`.
  ///   - retry: Called before another attempt when the packet cannot be sent yet. `tooManyReferences`: the user's processes
  ///     have as many descriptors in flight as one process may have open (unix(7), ETOOMANYREFS).
  func send(
    _ bytes: [UInt8], _ descriptors: [CInt] = [], waits: Bool, retry: (Errno) throws(ArchiveError) -> Void
  ) throws(SendFailure) {
    var start = 0
    repeat {
      let end = min(bytes.count, start + Self.largest)
      let own = start == 0 ? descriptors : []
      let packet = Self.header(sent, descriptors: own.count) + bytes[start..<end]
      sent &+= 1
      while true {
        do throws(Errno) {
          try Self.send(packet, own, on: socket.rawValue, waits: waits)
          break
        } catch {
          guard error == .wouldBlock || error == .tooManyReferences else { throw .system(error) }
          do throws(ArchiveError) { try retry(error) } catch { throw .gaveUp(error) }
        }
      }
      start = end
    } while start < bytes.count
  }

  enum SendFailure: Error {
    case system(Errno)
    /// The error thrown by `retry`.
    case gaveUp(ArchiveError)
  }

  static func send(
    _ packet: [UInt8], _ descriptors: [CInt], on socket: CInt, waits: Bool = true
  ) throws(Errno) {
    _ = try unsafe SystemCalls.send(
      packet.span.bytes, with: descriptors.map { FileDescriptor(rawValue: $0) },
      to: FileDescriptor(rawValue: socket), waits: waits)
  }

  /// The next packet, whose descriptors all have owners before anything else is examined; nil at the end.
  func receive() throws(Failure) -> Packet? {
    var received: SystemCalls.Received
    do throws(Errno) {
      received = try SystemCalls.receive(
        into: &buffer, buffer.indices, from: FileDescriptor(rawValue: socket.rawValue))
    } catch .connectionReset {
      return nil
    } catch {
      throw .system(error)
    }
    let (length, count) = (received.count, received.descriptors.count)
    var descriptors: [HeldDescriptor] = []
    while let memfd = received.descriptors.next() { descriptors.append(HeldDescriptor(memfd.release())) }
    if received.lostDescriptors {
      // There is room for as many as the kernel lets one message carry, so that nothing else loses them. Whether the table is
      // still full says nothing: other threads close descriptors.
      guard count <= Self.mostDescriptors else { throw .violation("sent more descriptors than a packet has") }
      throw .descriptorsLost
    }
    guard !received.isCut else { throw .violation("sent a packet that is too long") }
    guard length > 0 else { return nil }
    guard length >= Self.headerSize else { throw .violation("sent a packet without a header") }
    var reader = BinaryDecoder(Array(buffer[..<Self.headerSize]))
    guard let number = try? reader.number(UInt32.self), let claimed = try? reader.number(UInt32.self) else {
      throw .violation("sent a packet without a header")
    }
    guard Int(claimed) == count, count <= Self.mostDescriptors else {
      throw .violation("sent \(count) descriptors with a packet that claims \(claimed)")
    }
    if number < Self.alive {
      guard number == taken else { throw .violation("sent packet \(number) instead of \(taken)") }
      taken &+= 1
    } else if count > 0 {
      throw .violation("sent descriptors with a sign of life")
    }
    return Packet(number: number, bytes: buffer[Self.headerSize..<length], descriptors: descriptors)
  }
}
