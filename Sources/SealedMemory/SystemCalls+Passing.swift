internal import CLinux
internal import Libc
package import SystemPackage

extension SystemCalls {
  /// sendmsg(2) with SCM_RIGHTS: the number of bytes sent; the descriptors go with the first of them. Waits for room in the
  /// socket.
  package static func send(
    _ bytes: RawSpan, with descriptors: [FileDescriptor], to socket: FileDescriptor
  ) throws(Errno) -> Int {
    try waiting(for: POLLOUT, on: socket) { () throws(Errno) in
      try send(bytes, with: descriptors, to: socket, waits: true)
    }
  }

  /// The same; without waiting, the error where there is no room is `wouldBlock`.
  package static func send(
    _ bytes: RawSpan, with descriptors: [FileDescriptor], to socket: FileDescriptor, waits: Bool
  ) throws(Errno) -> Int {
    let numbers = descriptors.map(\.rawValue)
    return try valueOrErrno {
      unsafe bytes.withUnsafeBytes {
        unsafe clinux_send_descriptors(
          socket.rawValue, $0.baseAddress, $0.count, numbers, numbers.count, waits ? 1 : 0)
      }
    }
  }

  /// The result of one recvmsg(2).
  package struct Received: ~Copyable {
    /// The number of bytes; 0 at the end of a stream.
    package let count: Int
    package var descriptors: ReceivedDescriptors
    /// Whether the message had more bytes.
    package let isCut: Bool
    /// Whether the message had more descriptors.
    package let lostDescriptors: Bool

    package consuming func takeDescriptors() -> ReceivedDescriptors { descriptors }
  }

  /// recvmsg(2) into a part of `bytes`. All descriptors are close-on-exec and owned by the result.
  package static func receive(
    into bytes: inout [UInt8], _ part: Range<Int>, from socket: FileDescriptor
  ) throws(Errno) -> Received {
    var numbers = [Int32](repeating: -1, count: Int(CLINUX_MOST_DESCRIPTORS))
    var filled = 0
    var cut: CInt = 0
    let count = try waiting(for: POLLIN, on: socket) { () throws(Errno) in
      try valueOrErrno {
        unsafe bytes.withUnsafeMutableBytes {
          let part = unsafe UnsafeMutableRawBufferPointer(rebasing: $0[part])
          return unsafe clinux_receive_descriptors(
            socket.rawValue, part.baseAddress, part.count, &numbers, &filled, &cut)
        }
      }
    }
    return Received(
      count: count,
      descriptors: ReceivedDescriptors(
        owning: numbers[..<filled].map {
          FileDescriptor(rawValue: clinux_above_streams($0))
        }),
      isCut: cut & CInt(CLINUX_CUT_BYTES) != 0,
      lostDescriptors: cut & CInt(CLINUX_CUT_DESCRIPTORS) != 0)
  }

  /// Repeats `call` whenever a socket that does not block (O_NONBLOCK) is ready for it, poll(2).
  private static func waiting(
    for events: Int32, on socket: FileDescriptor, _ call: () throws(Errno) -> Int
  ) throws(Errno) -> Int {
    while true {
      do throws(Errno) { return try call() } catch .wouldBlock {
        _ = try wait(for: events, on: socket, milliseconds: -1)
      }
    }
  }
}
