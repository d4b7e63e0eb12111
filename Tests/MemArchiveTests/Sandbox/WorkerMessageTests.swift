// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import CLinux
import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import MemArchive

/// The decoder of a worker's messages: any bytes are a message or an error.
struct WorkerMessageTests {
  private static let entry: ArchiveEntry = {
    var details = ArchiveEntry.Details()
    details.user = "root"
    details.userID = -1
    details.accessed = ArchiveEntry.Time(seconds: -5, nanoseconds: 999_999_999)
    details.attributes = [ArchiveEntry.ExtendedAttribute(name: "user.x", value: [1, 2, 3])]
    return ArchiveEntry(
      .init(
        name: "a/b\u{F7FF}", convertedFrom: [0xFF, 0], kind: .hardlink, size: 12, modified: details.accessed,
        mode: 0o644, link: "c", linkCount: 3, isEncrypted: true,
        packing: .init(compressedSize: 7, crc32: .max, compression: .other), details: .init(details)))
  }()

  private static let messages: [WorkerMessage] = [
    .ready(version: "1", SandboxProtection(landlock: 7, seccomp: true, diesFirst: false)),
    .unavailable(version: "1", part: "Landlock", reason: "no", errno: 12), .opened(comment: nil),
    .opened(comment: "x"),
    .entry(entry, .asks),
    .entry(ArchiveEntry(.init(name: "", kind: .block)), .no),
    .file(position: 7, size: .max, .own), .file(position: 0, size: 0, .packed(slab: .max, offset: 1)),
    .slab(3, size: 16 << 20), .failed(.corrupt("x", entry: "y", call: "z"), position: nil),
    .failed(.system("pread", .ioError, doing: "reading"), position: 9),
    .failed(.limit(.entries, 1, entry: nil, "it"), position: nil),
    .failed(
      ArchiveError(.noSuchEntry, path: "p", "x", advice: .compareName(similar: ["y", ""])), position: nil),
    .warning(ArchiveWarning(.dataAfterEnd, "odd")),
    .progress(ExtractionOptions.Progress(bytesRead: 1, bytesTotal: 2, entries: 3, entry: "e")),
    .end, .refused(call: 41), .moreWarnings(7),
    .piece(offset: 1 << 40, size: 1 << 20), .whole(size: 5),
    .file(position: 1, size: 256 << 10, .window(offset: 3 << 20)), .file(position: .max, size: 0, .parts),
    .part(position: 7, offset: 1 << 40, size: 1, place: 5), .place(1 << 40), .index(size: 1 << 20),
  ]

  private static func record(_ message: WorkerMessage) -> Bytes {
    var writer = BinaryEncoder()
    message.encode(to: &writer)
    return Bytes(writer.bytes[4...])
  }

  @Test func `A message is decoded to itself`() throws {
    for message in Self.messages { #expect(try WorkerMessage.decode(Self.record(message)) == message) }
  }

  /// `MEMARCHIVE_WRITE_SEEDS=1` writes them.
  @Test func `The fuzzer starts from these messages, each and all in one`() throws {
    let isWriting = clinux_secure_environment("MEMARCHIVE_WRITE_SEEDS") != nil
    var writer = BinaryEncoder()
    for message in Self.messages { message.encode(to: &writer) }
    let seeds = [("packet", writer.bytes)] + Self.messages.enumerated().map { ("\($0)", Self.record($1)) }
    for (name, bytes) in seeds {
      let path = Repository.url("Tests/Fuzz/Worker/\(name)")
      if isWriting { try Data(bytes).write(to: path) }
      #expect(try Bytes(Data(contentsOf: path)) == bytes, "\(path.path)")
    }
  }

  @Test func `A part of a message is not a message, nor is one with more bytes after it`() {
    for message in Self.messages {
      let record = Self.record(message)
      for count in 0..<record.count {
        #expect(throws: Malformed.self) { try WorkerMessage.decode(Bytes(record[..<count])) }
      }
      #expect(throws: Malformed.self) { try WorkerMessage.decode(record + [0]) }
    }
  }

  @Test(.seeded) func `Any bytes are decoded or refused`() {
    var random = SeededGenerator()
    var accepted = 0
    for round in 0..<60_000 {
      var record = Self.record(Self.messages[round % Self.messages.count])
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        record[Int.random(in: record.indices, using: &random)] = [
          0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255),
        ]
        .randomElement(using: &random)!
      }
      if let message = try? WorkerMessage.decode(record) {
        accepted += 1
        // A decoded message can be encoded again.
        #expect((try? WorkerMessage.decode(Self.record(message))) == message)
      }
    }
    #expect(accepted > 1000)
  }

  @Test func `Gigantic counts take no memory`() {
    for number in Self.messages.indices {
      let kind = Self.record(Self.messages[number])[0]
      #expect(throws: Malformed.self) { try WorkerMessage.decode([kind] + Bytes(repeating: 0xFF, count: 40)) }
    }
    var buffer = RecordBuffer()
    buffer.append([0xFF, 0xFF, 0xFF, 0xFF])
    #expect(throws: Malformed.self) { try buffer.next() == nil }
  }

  @Test func `Records come in any pieces`() throws {
    var writer = BinaryEncoder()
    for message in Self.messages { message.encode(to: &writer) }
    for size in [1, 3, 64, writer.bytes.count] {
      var buffer = RecordBuffer()
      var found: [WorkerMessage] = []
      for start in stride(from: 0, to: writer.bytes.count, by: size) {
        buffer.append(writer.bytes[start..<min(start + size, writer.bytes.count)])
        while var reader = try buffer.next() { found.append(try WorkerMessage.decode(&reader)) }
      }
      #expect(found == Self.messages)
      #expect(buffer.isEmpty)
    }
  }

  @Test func `Details that entries share are sent once`() throws {
    let details = ArchiveEntry.Shared(ArchiveEntry.Details(userID: 7, user: "somebody"))
    let entries = ["a", "b"].map { ArchiveEntry(.init(name: $0, kind: .file, details: details)) }
    var writer = BinaryEncoder()
    for entry in entries { WorkerMessage.entry(entry, .yes).encode(to: &writer) }
    var buffer = RecordBuffer()
    buffer.append(writer.bytes[...])
    var first = try #require(try buffer.next())
    let second = try #require(try buffer.next())
    #expect(second.rest < first.rest)
    #expect(try WorkerMessage.decode(&first) == .entry(entries[0], .yes))
    var next = second
    next.details = first.details
    #expect(try WorkerMessage.decode(&next) == .entry(entries[1], .yes))
    #expect(next.details === first.details)
    // A reference to earlier details needs earlier details.
    var alone = second
    #expect(throws: Malformed.self) { try WorkerMessage.decode(&alone) }
  }
}
#endif
