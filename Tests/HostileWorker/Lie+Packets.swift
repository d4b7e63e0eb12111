#if TESTABLE
import Glibc

@testable import MemArchive

extension Lie {
  /// Packets that no channel sends.
  static let packets: [Lie] = [
    first("fewer descriptors than claimed") { liar in
      try liar.sendPacket(PacketChannel.header(1, descriptors: 2), oneFile, [memfd()])
    },
    first("more descriptors than claimed") { liar in
      try liar.sendPacket(PacketChannel.header(1, descriptors: 1), oneFile, [memfd(), memfd()])
    },
    first("ever more descriptors") { liar in
      let file = memfd()
      for _ in 0..<20 { try liar.send([], [CInt](repeating: file, count: PacketChannel.mostDescriptors)) }
    },
    first("too many descriptors at once") { liar in
      liar.sendPacket(
        PacketChannel.header(1, descriptors: 100), withAll: Array(repeating: memfd(), count: 100))
    },
    first("a packet without a header") { liar in try liar.sendPacket(Array("abc".utf8)) },
    first("a packet that is too long") { liar in
      try liar.sendPacket(PacketChannel.header(1), [UInt8](repeating: 0x78, count: 100_000))
    },
    first("a packet twice") { liar in
      try liar.sendPacket(PacketChannel.header(1), record(WorkerMessage.header().payload))
      try liar.sendPacket(PacketChannel.header(1), record(WorkerMessage.end.payload))
    },
    first("signs of life for ever", .timedOut) { liar in
      while true {
        try liar.sendPacket(PacketChannel.header(PacketChannel.alive))
        // Not so many that nobody else gets on.
        poll(nil, 0, 10)
      }
    },
    Lie("nonsense in place of ready", .sandboxUnavailable) { liar in try liar.send(Array("hello, world".utf8))
    },
  ]

  private static let oneFile = record(WorkerMessage.header().payload) + record(WorkerMessage.own().payload)

  /// After the first packet, whose number is 0.
  private static func first(
    _ name: String, _ code: ArchiveError.Code? = .sandboxViolation,
    _ tell: @escaping @Sendable (Liar) throws -> Void
  ) -> Lie {
    .after(named: name, code, tell)
  }
}
#endif
