import Testing

/// Fixtures that something happened to.
package enum Damage {
  /// A zip whose third entry of six, tree/hello.txt, holds another letter than its checksum says.
  package static func storedZip() throws -> ByteString {
    try flipping(1, in: ByteString.fixture("zip-stored.zip"), at: "Hello, sealed world.")
  }

  /// A zip in the middle of which a deflate stream makes no sense: tree/poem.txt, the fifth of six.
  package static func deflatedZip() throws -> ByteString {
    var bytes = try ByteString.fixture("zip-deflated.zip")
    let name = try #require(bytes.values.firstRange(of: Array("tree/poem.txt".utf8)))
    // Behind the extra fields comes the stream, and its block type 3 is reserved (RFC 1951, 3.2.3).
    let extra = Int(bytes.values[name.lowerBound - 2])
    bytes.values[name.upperBound + extra] |= 0b110
    return bytes
  }

  /// A lone gzip file, hello.txt, whose checksum is another file's.
  package static func loneGzip() throws -> ByteString {
    var bytes = try ByteString.fixture("hello.txt.gz")
    bytes.values[bytes.values.count - 8] ^= 1
    return bytes
  }

  /// The first bytes of a fixture.
  package static func cutting(_ fixture: String, to count: Int) throws -> ByteString {
    ByteString(try Fixture.bytes(fixture).prefix(count))
  }

  package static func flipping(_ bits: UInt8, in bytes: ByteString, at text: ByteString) throws -> ByteString
  {
    var bytes = bytes
    let range = try #require(bytes.values.firstRange(of: text.values))
    bytes.values[range.lowerBound] ^= bits
    return bytes
  }
}
