internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// Files on their way through a Unix socket: one message with their sizes and names, accompanied by their descriptors.
///
/// In bytes, little-endian: magic (7) and version (1); number of files (2); whether more messages follow (2); length of the
/// whole message (4); then for each file its size (8), the length of its name (4) and its name. One message is one sendmsg(2),
/// so that it works on sockets with and without message boundaries.
struct FileMessage: ~Copyable {
  /// What the sender says of one file.
  struct Claim {
    let name: String
    let size: Int64
  }

  let claims: [Claim]
  let isLast: Bool
  var descriptors: ReceivedDescriptors

  /// Many descriptors in one message cost a tenth of one message each; more than 64 gain nothing (measured).
  static let mostFiles = 64
  /// Less than any Unix socket takes at once, with room for a name of 64 KiB.
  static let mostBytes = 96 << 10

  /// "MemFile", and the version.
  private static let magic = "MemFile\u{1}".utf8.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  private static let headerSize = 16

  // MARK: Sending

  /// The bytes that a file of this name takes in a message.
  static func cost(of name: String) -> Int { 12 + name.utf8.count }

  /// The bytes that all files of a message may take.
  static var capacity: Int { mostBytes - headerSize }

  static func send(_ files: [MemFile], isLast: Bool, to socket: FileDescriptor) throws(ArchiveError) {
    var writer = BinaryEncoder()
    writer.put(magic)
    writer.put(UInt16(files.count))
    writer.put(UInt16(isLast ? 0 : 1))
    writer.put(UInt32(files.reduce(headerSize) { $0 + cost(of: $1.name) }))
    var descriptors: [FileDescriptor] = []
    for file in files {
      descriptors.append(try file.fileDescriptor)
      writer.put(Int64(file.size))
      writer.put(file.name)
    }
    let bytes = writer.bytes
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

  // MARK: Receiving

  private init(claims: [Claim], isLast: Bool, descriptors: consuming ReceivedDescriptors) {
    self.claims = claims
    self.isLast = isLast
    self.descriptors = descriptors
  }

  /// The next message; nil at the end of the stream. All descriptors are owned before anything else is looked at.
  static func receive(from socket: FileDescriptor, nameBytes: Int) throws(ArchiveError) -> FileMessage? {
    var bytes = [UInt8](repeating: 0, count: mostBytes)
    let first = try receive(into: &bytes, 0..<mostBytes, from: socket)
    if first.count == 0 && first.descriptors.count == 0 { return nil }
    guard !first.lostDescriptors else { throw .descriptorsLost() }
    guard !first.isCut, let (count, isLast, length) = try? header(in: BinaryDecoder(bytes, 0..<first.count)),
      count <= mostFiles, first.descriptors.count == count, length <= mostBytes, length >= first.count
    else { throw .noMessage() }
    var filled = first.count
    // What did not fit into the socket's buffer follows in pieces without descriptors.
    while filled < length {
      let next = try receive(into: &bytes, filled..<length, from: socket)
      guard next.count > 0 else { throw .cutOff() }
      guard next.descriptors.count == 0, !next.isCut, !next.lostDescriptors else { throw .noMessage() }
      filled += next.count
    }
    guard
      let claims = try? claims(
        in: BinaryDecoder(bytes, headerSize..<length), count: count, nameBytes: nameBytes)
    else { throw .noMessage() }
    return FileMessage(claims: claims, isLast: isLast, descriptors: first.takeDescriptors())
  }

  private static func receive(
    into bytes: inout [UInt8], _ part: Range<Int>, from socket: FileDescriptor
  ) throws(ArchiveError) -> SystemCalls.Received {
    do { return try SystemCalls.receive(into: &bytes, part, from: socket) } catch {
      throw .system("recvmsg", error, doing: "receiving a file")
    }
  }

  private static func header(
    in reader: BinaryDecoder
  ) throws(Malformed) -> (count: Int, isLast: Bool, length: Int) {
    var reader = reader
    guard try reader.number(UInt64.self) == magic else { throw Malformed() }
    return try (
      count: Int(reader.number(UInt16.self)), isLast: reader.number(UInt16.self) == 0,
      length: Int(reader.number(UInt32.self))
    )
  }

  private static func claims(
    in reader: BinaryDecoder, count: Int, nameBytes: Int
  ) throws(Malformed) -> [Claim] {
    var reader = reader
    var claims: [Claim] = []
    for _ in 0..<count {
      let size = try reader.size()
      let name = try reader.text()
      guard name.utf8.count <= nameBytes else { throw Malformed() }
      claims.append(Claim(name: name, size: size))
    }
    try reader.finish()
    return claims
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

  /// MSG_CTRUNC: this process had no room for a descriptor, or a security module withheld it.
  fileprivate static func descriptorsLost() -> Self {
    Self(
      .descriptorLimit, "descriptors of a message were lost while receiving files", call: "recvmsg",
      advice: "Raise the limit (ulimit -n), or receive fewer files at once.")
  }

  fileprivate static func sending(_ errno: Errno, entry: String?) -> Self {
    // The user has more descriptors in flight than its limit on open files.
    guard errno == Errno(rawValue: ETOOMANYREFS) else {
      return .system("sendmsg", errno, doing: "sending a file", entry: entry)
    }
    return Self(
      .descriptorLimit, entry: entry, "too many descriptors are on their way through sockets",
      call: "sendmsg",
      errno: errno, advice: "Wait until the other side has received some, or raise the limit (ulimit -n).")
  }

  static func untrusted(_ reason: String, entry: String?, call: String? = nil, errno: Errno? = nil) -> Self {
    Self(
      .untrusted, entry: entry, reason, call: call, errno: errno,
      advice: "Nothing of it is used: ask who sent it for a memfd with all of its seals.")
  }
}
