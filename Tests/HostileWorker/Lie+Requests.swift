#if TESTABLE
import Glibc

@testable import MemArchive

extension Lie {
  /// What a host that reads the archive for its worker may be asked. The archive has 40 MiB.
  package static let requests: [Lie] = [
    asking("for what is beyond the end", [UInt8].request(40 << 20, 1)),
    asking("for what is before the beginning", .request(-1, 1)),
    asking("for nothing", .request(0, 0)),
    asking("for more than one answer has", .request(0, SourceRequest.largest + 1)),
    asking("for a number that overflows", .request(.max, 1)),
    asking("in few words", [1, 2, 3]),
    asking("in many words", .request(0, 1) + [0]),
    Lie("a descriptor in place of words") { liar in
      try liar.begin()
      try liar.ask(.request(0, 1), with: [memfd()])
    },
    Lie("another archive from end to end, again and again", .sourceFailed) { liar in
      try liar.begin()
      while true {
        for offset in stride(from: Int64(0), to: 40 << 20, by: 1 << 16) {
          try liar.ask(.request(offset, 1))
          guard try liar.answer().count == 2 else {
            return try liar.say(.failed(.sourceFailed("it cannot be read"), position: nil), .end)
          }
        }
      }
    },
    // Each answer fits into the socket's buffer until it does not: only the thread that answers waits.
    Lie("questions without end, and no ear for an answer", .timedOut) { liar in
      try liar.begin()
      while true { try liar.ask(.request(0, SourceRequest.largest)) }
    },
  ]

  private static func asking(_ what: String, _ words: [UInt8]) -> Lie {
    Lie("a question \(what)") { liar in
      try liar.begin()
      try liar.ask(words)
    }
  }
}

extension [UInt8] {
  fileprivate static func request(_ offset: Int64, _ count: Int) -> Self {
    SourceRequest(offset, count).bytes
  }
}
#endif
