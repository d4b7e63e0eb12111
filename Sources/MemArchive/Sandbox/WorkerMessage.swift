internal import CLinux
internal import SystemPackage

/// A message from a worker. Decoding is total: any bytes are a message or `Malformed`, nothing in here traps, and no more
/// memory is taken than the bytes account for.
///
/// Cases that occur once per entry are stored inline and the others are indirect, so that passing a message on is cheap.
enum WorkerMessage: Equatable {
  /// Whether an entry's content will follow.
  enum Answer: UInt8 {
    case no, yes
    /// The host decides.
    case asks
  }

  /// Where a file's content is.
  enum Place: Equatable {
    /// In the next descriptor.
    case own
    /// In a slab, which follows after the last file in it has been announced.
    case packed(slab: UInt32, offset: Int64)
    /// In the window that is shared with a host that copies it.
    case window(offset: Int64)
    /// In the parts that came before.
    case parts
  }

  /// The worker is locked in, with this protection.
  indirect case ready(version: String, SandboxProtection)
  /// The worker could not be locked in, or has another version.
  indirect case unavailable(version: String, part: String, reason: String, errno: Int32)
  case opened(comment: String?)
  case entry(ArchiveEntry, Answer)
  /// Where the next entry is, for a reading that begins there.
  case place(Int64)
  case file(position: Int64, size: Int64, Place)
  /// The next descriptor is an index of the archive's compression.
  case index(size: Int64)
  /// The next descriptor is a slab.
  case slab(UInt32, size: Int64)
  /// A part of the content of the entry at this position, which begins at `place` in the window. An empty one is the last of a
  /// content whose error will follow, when those of earlier entries have.
  case part(position: Int64, offset: Int64, size: Int64, place: Int64)
  /// An error in the content of the entry at this position, or without a position in the next header.
  indirect case failed(ArchiveError, position: Int64?)
  indirect case warning(ArchiveWarning)
  /// The number of warnings that are not sent.
  case moreWarnings(Int)
  indirect case progress(ExtractionOptions.Progress)
  /// The next descriptor is a part of the content that the host wanted in pieces.
  case piece(offset: Int64, size: Int64)
  /// All pieces have been sent of a content of this size.
  case whole(size: Int64)
  case end
  /// The number of a system call that was refused: the worker's last message.
  case refused(call: UInt32)

  static let refusedKind: UInt8 = 12

  /// The name of a system call, or its number if it has no name here.
  static func callName(_ number: UInt32) -> String {
    guard let name = unsafe clinux_call_name(number) else { return "number \(number)" }
    return unsafe String(cString: name)
  }

  /// Decodes one record.
  static func decode(_ bytes: [UInt8]) throws(Malformed) -> Self {
    var reader = BinaryDecoder(bytes)
    return try decode(&reader)
  }

  static func decode(_ reader: inout BinaryDecoder) throws(Malformed) -> Self {
    let message: Self
    switch try reader.number(UInt8.self) {
    case 1: message = .ready(version: try reader.text(), try reader.protection())
    case 2:
      message = .unavailable(
        version: try reader.text(), part: try reader.text(), reason: try reader.text(),
        errno: try reader.number())
    case 3: message = .opened(comment: try reader.optionalText())
    case 4:
      guard let answer = Answer(rawValue: try reader.number()) else { throw Malformed() }
      message = .entry(try reader.entry(), answer)
    case 5:
      message = try reader.piece(FileNumbers.self).message()
    case 16: message = .place(try reader.size())
    case 17: message = .index(size: try reader.size())
    case 6: message = .slab(try reader.number(), size: try reader.size())
    case 15:
      message = .part(
        position: try reader.size(), offset: try reader.size(), size: try reader.size(),
        place: try reader.size())
    case 7:
      message = .failed(
        try reader.error(), position: try reader.optional { reader throws(Malformed) in try reader.size() })
    case 9:
      guard let kind = ArchiveWarning.Code.Kind(rawValue: try reader.number()), kind != .others else {
        throw Malformed()
      }
      message = .warning(
        ArchiveWarning(ArchiveWarning.Code(kind), entry: try reader.optionalText(), try reader.text()))
    case 10: message = .progress(try reader.progress())
    case 8: message = .end
    case 13: message = .piece(offset: try reader.size(), size: try reader.size())
    case 14: message = .whole(size: try reader.size())
    case 11: message = .moreWarnings(Int(try reader.size()))
    case refusedKind: message = .refused(call: try reader.number())
    default: throw Malformed()
    }
    try reader.finish()
    return message
  }

  /// Appends it as a record.
  func encode(to writer: inout BinaryEncoder) {
    writer.record { writer in
      switch self {
      case .ready(let version, let protection):
        writer.put(UInt8(1))
        writer.put(version)
        writer.put(protection)
      case .unavailable(let version, let part, let reason, let errno):
        writer.put(UInt8(2))
        for text in [version, part, reason] { writer.put(text) }
        writer.put(errno)
      case .opened(let comment):
        writer.put(UInt8(3))
        writer.put(optional: comment)
      case .entry(let entry, let answer):
        writer.put(UInt8(4))
        writer.put(answer.rawValue)
        writer.put(entry)
      case .place(let place):
        writer.put(UInt8(16))
        writer.put(place)
      case .index(let size):
        writer.put(UInt8(17))
        writer.put(size)
      case .file(let position, let size, let place):
        writer.put(UInt8(5))
        writer.put(piece: FileNumbers(position, size, place))
      case .slab(let number, let size):
        writer.put(UInt8(6))
        writer.put(number)
        writer.put(size)
      case .part(let position, let offset, let size, let place):
        writer.put(UInt8(15))
        for number in [position, offset, size, place] { writer.put(number) }
      case .failed(let error, let position):
        writer.put(UInt8(7))
        writer.put(error)
        writer.put(optional: position)
      case .piece(let offset, let size):
        writer.put(UInt8(13))
        writer.put(offset)
        writer.put(size)
      case .whole(let size):
        writer.put(UInt8(14))
        writer.put(size)
      case .end: writer.put(UInt8(8))
      case .warning(let warning):
        writer.put(UInt8(9))
        writer.put(warning.code.kind.rawValue)
        writer.put(optional: warning.entry)
        writer.put(warning.text)
      case .moreWarnings(let count):
        writer.put(UInt8(11))
        writer.put(Int64(count))
      case .progress(let progress):
        writer.put(UInt8(10))
        writer.put(progress.bytesRead)
        writer.put(optional: progress.bytesTotal)
        writer.put(Int64(progress.entries))
        writer.put(progress.entry)
      case .refused(let call):
        writer.put(Self.refusedKind)
        writer.put(call)
      }
    }
  }
}

/// The numbers of a `file` message. It has no padding.
private struct FileNumbers: BitwiseCopyable {
  let position: Int64
  let size: Int64
  let offset: Int64
  let slab: UInt32
  let place: UInt32

  static let (own, packed, window, parts) = (0, 1, 2, 3) as (UInt32, UInt32, UInt32, UInt32)

  init(_ position: Int64, _ size: Int64, _ place: WorkerMessage.Place) {
    (self.position, self.size) = (position, size)
    (slab, offset, self.place) =
      switch place {
      case .own: (0, 0, Self.own)
      case .packed(let slab, let offset): (slab, offset, Self.packed)
      case .window(let offset): (0, offset, Self.window)
      case .parts: (0, 0, Self.parts)
      }
  }

  func message() throws(Malformed) -> WorkerMessage {
    guard min(position, size, offset) >= 0 else { throw Malformed() }
    switch place {
    case Self.own where slab == 0 && offset == 0: return .file(position: position, size: size, .own)
    case Self.packed: return .file(position: position, size: size, .packed(slab: slab, offset: offset))
    case Self.window where slab == 0: return .file(position: position, size: size, .window(offset: offset))
    case Self.parts where slab == 0 && offset == 0: return .file(position: position, size: size, .parts)
    default: throw Malformed()
    }
  }
}

extension BinaryDecoder {
  /// A nonnegative number.
  mutating func size() throws(Malformed) -> Int64 {
    let size = try number(Int64.self)
    guard size >= 0 else { throw Malformed() }
    return size
  }

  mutating func progress() throws(Malformed) -> ExtractionOptions.Progress {
    ExtractionOptions.Progress(
      bytesRead: try size(), bytesTotal: try optional { reader throws(Malformed) in try reader.size() },
      entries: Int(try size()), entry: try text())
  }

  mutating func error() throws(Malformed) -> ArchiveError {
    guard let code = ArchiveError.Code(name: try text()) else { throw Malformed() }
    return ArchiveError(
      code, path: try optionalText(), entry: try optionalText(), try text(), call: try optionalText(),
      errno: try optionalNumber(Int32.self).map { Errno(rawValue: $0) }, advice: try advice())
  }

  private mutating func advice() throws(Malformed) -> ArchiveError.Advice {
    let kind = try number(UInt8.self)
    switch kind {
    case ArchiveError.Advice.names:
      return .compareName(similar: try all { reader throws(Malformed) in try reader.text() })
    case ArchiveError.Advice.sentence: return .other(try text())
    case _ where kind < ArchiveError.Advice.fixed.count: return ArchiveError.Advice.fixed[Int(kind)]
    default: throw Malformed()
    }
  }
}

extension BinaryEncoder {
  mutating func put(_ error: ArchiveError) {
    put(error.code.description)
    put(optional: error.path)
    put(optional: error.entry)
    put(error.reason)
    put(optional: error.call)
    put(optional: error.errno?.rawValue)
    put(error.advice)
  }

  private mutating func put(_ advice: ArchiveError.Advice) {
    if let index = ArchiveError.Advice.fixed.firstIndex(of: advice) {
      put(UInt8(clamping: index))
    } else if case .compareName(let similar) = advice {
      put(ArchiveError.Advice.names)
      put(all: similar) { $0.put($1) }
    } else {
      put(ArchiveError.Advice.sentence)
      put(advice.description)
    }
  }
}

extension ArchiveError.Advice {
  /// What stands in a message for those with texts, in place of an index of `fixed`.
  fileprivate static var names: UInt8 { 254 }
  fileprivate static var sentence: UInt8 { 255 }
}

/// For a fuzzer: whether these bytes are a worker's message.
package func isWorkerMessage(_ bytes: [UInt8]) -> Bool { (try? WorkerMessage.decode(bytes)) != nil }

/// For a fuzzer: these bytes decoded and encoded again; nil if they are not a worker's message.
package func workerMessageSaidAgain(_ bytes: [UInt8]) -> [UInt8]? {
  guard let message = try? WorkerMessage.decode(bytes) else { return nil }
  var writer = BinaryEncoder()
  message.encode(to: &writer)
  return Array(writer.bytes.dropFirst(4))
}

/// For a fuzzer: the valid records at the start of a packet's bytes that arrive in pieces of one size; nil if a record is
/// too long.
package func workerMessages(_ bytes: [UInt8], inPiecesOf size: Int) -> [[UInt8]]? {
  var buffer = RecordBuffer()
  var found: [[UInt8]] = []
  var writer = BinaryEncoder()
  var details: ArchiveEntry.Shared<ArchiveEntry.Details>?
  for start in stride(from: 0, to: bytes.count, by: max(1, size)) {
    buffer.append(bytes[start..<min(start + max(1, size), bytes.count)])
    do throws(Malformed) {
      while var reader = try buffer.next() {
        reader.details = details
        guard let message = try? WorkerMessage.decode(&reader) else { return found }
        details = reader.details
        writer.removeAll()
        message.encode(to: &writer)
        found.append(Array(writer.bytes.dropFirst(4)))
      }
    } catch {
      return nil
    }
  }
  return found
}
