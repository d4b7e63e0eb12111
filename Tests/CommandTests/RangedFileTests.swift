import HTTPRanges
import MemArchive
import Synchronization
import Testing

/// How often a server is asked.
struct RangedFileTests {
  /// A server that answers as often as it is told to, and then is silent, or loses the connection.
  private final class Server: RangeTransport {
    private let answers: Int
    private let isSilent: Bool
    private let count = Mutex(0)
    var requests: Int { count.withLock { $0 } }

    init(answers: Int, isSilent: Bool) { (self.answers, self.isSilent) = (answers, isSilent) }

    func get(_: [(name: String, value: String)], most: Int) throws -> RangeAnswer {
      let number = count.withLock { count in
        count += 1
        return count
      }
      guard number <= answers else { throw UnansweredRequest("nothing came", isSilence: isSilent) }
      return RangeAnswer(
        status: 206, fields: ["content-range": "bytes 0-\(most - 1)/1000000", "etag": "\"one\""],
        body: [UInt8](repeating: 0, count: most))
    }
  }

  @Test(arguments: [(0, true, 1), (0, false, 4), (1, true, 5), (1, false, 5)])
  func `A server that is silent from the beginning is asked once`(
    answers: Int, isSilent: Bool, requests: Int
  ) async {
    let server = Server(answers: answers, isSilent: isSilent)
    let error = await #expect(throws: ArchiveError.self) {
      _ = try await RangedFile(server, name: nil).bytes(in: 500_000..<500_001)
    }
    #expect(error?.code == .sourceFailed)
    let isRepeated = error?.reason.hasSuffix("nothing came, 4 times")
    #expect(isRepeated == (requests > 1), "\(String(describing: error))")
    #expect(server.requests == requests)
  }
}
