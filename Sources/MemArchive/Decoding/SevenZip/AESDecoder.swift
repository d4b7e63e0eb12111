#if FastDecoders
internal import CNettle

/// Decrypts what 7-Zip encrypted by AES-256 in CBC mode with a key made from a passphrase (7zAes.cpp of 7-Zip).
final class AESDecoder: ByteSource {
  private let source: any ByteSource
  private var cipher = cnettle_cbc()
  private var rest: Int64
  private var bytes: [UInt8] = []
  private var decrypted = 0..<0

  private static let block = 16
  private static let blocksAtOnce = 4096

  /// What the key is made of, besides the passphrase.
  struct Parameters: Equatable {
    let rounds: UInt8
    let salt: [UInt8]
    let vector: [UInt8]

    /// Upper bound of the logarithm of the number of rounds, as 7-Zip has it; it writes 19.
    private static let mostRounds: UInt8 = 24
    /// Stands for no rounds: the passphrase itself is the key.
    static let none: UInt8 = 0x3F

    init(_ properties: [UInt8]) throws(ArchiveError) {
      guard let first = properties.first else { throw .sevenZipHeader("has no options of AES") }
      rounds = first & 0x3F
      guard rounds <= Self.mostRounds || rounds == Self.none else {
        throw .unsupportedCoder("a key of 2^\(rounds) rounds")
      }
      guard first & 0xC0 != 0 else {
        guard properties.count == 1 else { throw .sevenZipHeader("has impossible options of AES") }
        (salt, vector) = ([], [])
        return
      }
      guard properties.count >= 2 else { throw .sevenZipHeader("has impossible options of AES") }
      let saltSize = Int(first >> 7 & 1) + Int(properties[1] >> 4)
      let vectorSize = Int(first >> 6 & 1) + Int(properties[1] & 0x0F)
      guard properties.count == 2 + saltSize + vectorSize else {
        throw .sevenZipHeader("has impossible options of AES")
      }
      salt = Array(properties[2..<2 + saltSize])
      vector = Array(properties[(2 + saltSize)...])
    }
  }

  /// - Parameter size: The number of bytes of content; what is encrypted is filled up to whole blocks.
  init(_ source: any ByteSource, size: Int64, key: [UInt8], vector: [UInt8]) {
    self.source = source
    rest = size
    var vector = vector
    vector.grow(to: Self.block)
    unsafe cnettle_start(&cipher, key, vector)
  }

  var progress: SourceProgress { source.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard rest > 0 else { return 0 }
    if decrypted.isEmpty { try decrypt() }
    let count = Int(min(Int64(min(decrypted.count, buffer.byteCount)), rest))
    unsafe buffer.copy(bytes.span.bytes.extracting(decrypted.lowerBound..<decrypted.lowerBound + count))
    decrypted = decrypted.lowerBound + count..<decrypted.upperBound
    rest -= Int64(count)
    return count
  }

  private func decrypt() throws(ArchiveError) {
    bytes.grow(to: Self.block * Self.blocksAtOnce)
    var count = 0
    while count < bytes.count {
      let more = try source.read(into: &bytes, from: count)
      guard more > 0 else { break }
      count += more
    }
    let blocks = count / Self.block
    guard blocks > 0 else { throw .corrupt("the encrypted data ends too early") }
    unsafe cnettle_decrypt(&cipher, blocks * Self.block, &bytes)
    decrypted = 0..<blocks * Self.block
  }

  /// The key: SHA-256 of salt, passphrase in UTF-16 and a counter, again and again.
  static func key(
    _ parameters: Parameters, _ passphrase: String, _ cancellation: Cancellation
  ) throws(ArchiveError) -> [UInt8] {
    var round = parameters.salt
    for unit in passphrase.utf16 { round += [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
    guard parameters.rounds != Parameters.none else {
      round.grow(to: Int(AES256_KEY_SIZE))
      return Array(round.prefix(Int(AES256_KEY_SIZE)))
    }
    var hash = sha256_ctx()
    unsafe nettle_sha256_init(&hash)
    let counter = round.count
    round.grow(to: counter + 8)
    var check = PeriodicCheck(cancellation)
    for number in 0..<UInt64(1) << UInt64(parameters.rounds) {
      try check.step()
      for index in 0..<8 { round[counter + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
      unsafe nettle_sha256_update(&hash, round.count, round)
    }
    var key = [UInt8](repeating: 0, count: Int(AES256_KEY_SIZE))
    unsafe nettle_sha256_digest(&hash, key.count, &key)
    return key
  }
}
#endif
