internal import CLinux
internal import Glibc
internal import SystemPackage

/// Files on their way through a Unix socket: one message with their sizes and names, and their descriptors beside it.
///
/// In bytes, little-endian: 7 of magic and 1 of version; count (2); whether more messages follow (2); the whole message's
/// length (4); then of each file its size (8), its name's length (4) and its name. One message is one sendmsg(2), so that
/// it works on sockets with and without message boundaries.
struct FileMessage: ~Copyable {
  /// What the sender says of one file.
  struct Claim {
    let name: String
    let size: Int64
  }

  let claims: [Claim]
  let isLast: Bool
  var descriptors: ReceivedDescriptors

  /// Many descriptors in one message cost a tenth of as many messages; more than 64 gain nothing (measured).
  static let mostFiles = 64
  /// Below what any Unix socket takes at once, with room for a name of 64 KiB.
  static let mostBytes = 96 << 10

  private static let magic = Array("MemFile\u{1}".utf8)
  private static let headerSize = 16

  // MARK: Sending

  /// How many bytes a message needs for a file of this name.
  static func cost(of name: String) -> Int { 12 + name.utf8.count }

  /// How many are there for all files.
  static var capacity: Int { mostBytes - headerSize }

  static func send(_ files: [MemFile], isLast: Bool, to socket: FileDescriptor) throws(ArchiveError) {
    var bytes = magic + little(UInt16(files.count)) + little(UInt16(isLast ? 0 : 1)) + little(UInt32(0))
    var descriptors: [FileDescriptor] = []
    for file in files {
      descriptors.append(try file.fileDescriptor)
      bytes += little(UInt64(file.size)) + little(UInt32(file.name.utf8.count)) + Array(file.name.utf8)
    }
    bytes.replaceSubrange(12..<16, with: little(UInt32(bytes.count)))
    do throws(Errno) {
      var sent = 0
      while sent < bytes.count {
        let rest = unsafe bytes.span.bytes.extracting(sent..<bytes.count)
        sent += try SystemCalls.send(rest, with: sent == 0 ? descriptors : [], to: socket)
      }
    } catch {
      throw .sending(error, entry: files.first?.name)
    }
    withExtendedLifetime(files) {}
  }

  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
  }

  // MARK: Receiving

  private init(claims: [Claim], isLast: Bool, descriptors: consuming ReceivedDescriptors) {
    self.claims = claims
    self.isLast = isLast
    self.descriptors = descriptors
  }

  /// The next message; nil at the end of the stream. Each descriptor has its owner before anything else is looked at.
  static func receive(from socket: FileDescriptor, nameBytes: Int) throws(ArchiveError) -> FileMessage? {
    var bytes = [UInt8](repeating: 0, count: mostBytes)
    let first = try receive(into: &bytes, from: 0, to: mostBytes, socket)
    if first.count == 0 && first.descriptors.count == 0 { return nil }
    guard !first.lostDescriptors else { throw .descriptorsLost() }
    guard !first.isCut, first.count >= headerSize, Array(bytes[..<8]) == magic else { throw .noMessage() }
    let count = Int(number(bytes[8..<10]))
    let length = Int(number(bytes[12..<16]))
    guard count <= mostFiles, first.descriptors.count == count, length <= mostBytes, length >= first.count
    else { throw .noMessage() }
    var filled = first.count
    // What did not fit into the socket's buffer comes in further pieces, without descriptors.
    while filled < length {
      let next = try receive(into: &bytes, from: filled, to: length, socket)
      guard next.count > 0 else { throw .cutOff() }
      guard next.descriptors.count == 0, !next.isCut, !next.lostDescriptors else { throw .noMessage() }
      filled += next.count
    }
    let claims = try claims(in: bytes[headerSize..<length], count: count, nameBytes: nameBytes)
    return FileMessage(claims: claims, isLast: number(bytes[10..<12]) == 0, descriptors: first.descriptors)
  }

  private static func receive(
    into bytes: inout [UInt8], from start: Int, to end: Int, _ socket: FileDescriptor
  ) throws(ArchiveError) -> SystemCalls.Received {
    var span = bytes.mutableSpan
    var raw = unsafe span.mutableBytes
    var part = raw._mutatingExtracting(start..<end)
    do { return try SystemCalls.receive(into: &part, from: socket) } catch {
      throw .system("recvmsg", error, doing: "receiving a file")
    }
  }

  private static func claims(
    in bytes: ArraySlice<UInt8>, count: Int, nameBytes: Int
  ) throws(ArchiveError) -> [Claim] {
    var rest = bytes
    var claims: [Claim] = []
    for _ in 0..<count {
      guard rest.count >= 12 else { throw .noMessage() }
      let size = number(rest.prefix(8))
      let length = Int(number(rest.dropFirst(8).prefix(4)))
      rest = rest.dropFirst(12)
      guard size <= UInt64(Int64.max), length <= rest.count, length <= nameBytes,
        let name = String(validating: rest.prefix(length), as: UTF8.self)
      else { throw .noMessage() }
      rest = rest.dropFirst(length)
      claims.append(Claim(name: name, size: Int64(size)))
    }
    guard rest.isEmpty else { throw .noMessage() }
    return claims
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension ArchiveError {
  fileprivate static func noMessage() -> Self {
    .untrusted("what came over the socket is no message of MemFile.send(to:)", entry: nil)
  }

  static func cutOff() -> Self {
    Self(
      .truncated, "the socket was closed before the files were complete",
      advice: "Ask why the sender ended; nothing of the unfinished batch is kept.")
  }

  /// MSG_CTRUNC: this process had no number left for a descriptor, or a security module withheld it.
  fileprivate static func descriptorsLost() -> Self {
    Self(
      .descriptorLimit, "descriptors of a message were lost while receiving files", call: "recvmsg",
      advice: "Raise the limit (ulimit -n), or receive fewer files at once.")
  }

  fileprivate static func sending(_ errno: Errno, entry: String?) -> Self {
    // More descriptors of this user are in flight than its limit on open files.
    guard errno == Errno(rawValue: ETOOMANYREFS) else {
      return .system("sendmsg", errno, doing: "sending a file", entry: entry)
    }
    return Self(
      .descriptorLimit, entry: entry, "too many descriptors are on their way through sockets",
      call: "sendmsg",
      errno: errno, advice: "Wait until the other side has received some, or raise the limit (ulimit -n).")
  }
}
