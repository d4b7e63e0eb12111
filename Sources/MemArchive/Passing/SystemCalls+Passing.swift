internal import CLinux
internal import Glibc
internal import SystemPackage

extension SystemCalls {
  /// sendmsg(2) with SCM_RIGHTS: how many of the bytes went; the descriptors go with the first of them. Waits until there is
  /// room for it.
  static func send(
    _ bytes: RawSpan, with descriptors: [FileDescriptor], to socket: FileDescriptor
  ) throws(Errno) -> Int {
    try waiting(for: POLLOUT, on: socket) { () throws(Errno) in
      try send(bytes, with: descriptors, to: socket, waits: true)
    }
  }

  /// The same; where there is no room and it must not wait, the error is `wouldBlock`.
  static func send(
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

  /// What one recvmsg(2) gave.
  struct Received: ~Copyable {
    /// 0 at the end of a stream.
    let count: Int
    var descriptors: ReceivedDescriptors
    let isCut: Bool
    let lostDescriptors: Bool
  }

  /// recvmsg(2) into a part of `bytes`; all descriptors are close-on-exec and have an owner when it returns.
  static func receive(
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
      descriptors: ReceivedDescriptors(owning: numbers[..<filled].map { FileDescriptor(rawValue: $0) }),
      isCut: cut & CInt(CLINUX_CUT_BYTES) != 0,
      lostDescriptors: cut & CInt(CLINUX_CUT_DESCRIPTORS) != 0)
  }

  /// Repeats `call` each time that a socket which does not block (O_NONBLOCK) is ready for it, poll(2).
  private static func waiting(
    for events: Int32, on socket: FileDescriptor, _ call: () throws(Errno) -> Int
  ) throws(Errno) -> Int {
    while true {
      do throws(Errno) { return try call() } catch .wouldBlock {
        var request = pollfd(fd: socket.rawValue, events: Int16(events), revents: 0)
        _ = try valueOrErrno { unsafe poll(&request, 1, -1) }
      }
    }
  }
}
