import Foundation
import Hummingbird
import HummingbirdTesting
import InMemoryLogging
import Logging
import MemArchive
import MemArchiveObservability
import MetricsTestKit
import Testing

@testable import Uploads

struct ServerTests {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../../Fixtures").standardized

  private static func archive(_ name: String) throws -> ByteBuffer {
    ByteBuffer(bytes: try Data(contentsOf: fixtures.appending(path: name)))
  }

  @Test func `An archive is listed, whatever is wrong is told`() async throws {
    let whole = try Self.archive("tree.tar.gz")
    try await Application(router: uploads()).test(.router) { client in
      try await client.execute(uri: "/upload", method: .post, body: whole) { response in
        #expect(response.status == .ok)
        let listing = try JSONDecoder().decode(Listing.self, from: Data(response.body.readableBytesView))
        #expect(listing.files["tree/hello.txt"] == 21)
      }
      let refused: [(ByteBuffer, HTTPResponse.Status)] = [
        (ByteBuffer(string: "no archive"), .unsupportedMediaType),
        (whole.getSlice(at: 0, length: whole.readableBytes / 2)!, .unprocessableContent),
        (try Self.archive("zip-escaping-names.zip"), .unprocessableContent),
      ]
      for (body, status) in refused {
        try await client.execute(uri: "/upload", method: .post, body: body) { response in
          #expect(response.status == status, "\(String(buffer: response.body))")
        }
      }
    }
  }

  @Test func `A hundred uploads at once share a few workers`() async throws {
    let whole = try Self.archive("tree.tar.gz")
    try await Application(router: uploads(ExtractionPool(extractions: 4))).test(.router) { client in
      try await withThrowingTaskGroup(of: HTTPResponse.Status.self) { group in
        for _ in 0..<100 {
          group.addTask { try await client.execute(uri: "/upload", method: .post, body: whole) { $0.status } }
        }
        for try await status in group { #expect(status == .ok) }
      }
    }
  }

  @Test func `Each archive is counted, by how it ended`() async throws {
    let metrics = TestMetrics()
    let router = uploads(observer: MetricsObserver(factory: metrics))
    let whole = try Self.archive("tree.tar.gz")
    try await Application(router: router).test(.router) { client in
      for body in [whole, whole, ByteBuffer(string: "no archive")] {
        try await client.execute(uri: "/upload", method: .post, body: body) { _ in }
      }
    }
    let extract = ("operation", "extract")
    #expect(try metrics.expectCounter("memarchive.extractions", [extract, ("code", "ok")]).values == [1, 1])
    #expect(
      try metrics.expectCounter("memarchive.extractions", [extract, ("code", "unrecognizedFormat")]).values
        == [1])
    #expect(try metrics.expectTimer("memarchive.duration", [extract]).values.count == 3)
    #expect(metrics.counterTotal(label: "memarchive.entries", dimensions: [extract]) > 2)
  }

  @Test func `Each archive is one line of a log`() async throws {
    let lines = InMemoryLogHandler()
    let router = uploads(observer: LogObserver(Logger(label: "test") { _ in lines }, level: .info))
    let whole = try Self.archive("tree.tar.gz")
    try await Application(router: router).test(.router) { client in
      for body in [whole, ByteBuffer(string: "no archive")] {
        try await client.execute(uri: "/upload", method: .post, body: body) { _ in }
      }
    }
    #expect(lines.entries.map(\.message) == ["archive read", "archive not read"])
    #expect(lines.entries.map(\.level) == [.info, .notice])
    #expect(lines.entries.last?.metadata["code"] == "unrecognizedFormat")
  }
}
