internal import CNettle
internal import CSodium

/// A digest of some bytes.
struct Digest: Equatable, CustomStringConvertible {
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// A SHA-256 in hexadecimal.
  init?(hex text: String) {
    let digits = text.compactMap(\.hexDigitValue)
    guard digits.count == 64, text.utf8.count == 64 else { return nil }
    bytes = (0..<32).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }
  }

  /// In hexadecimal.
  var description: String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// FIPS 180-4; by Nettle, which has the processor's instructions for it.
  static func sha256(_ content: RawSpan) -> Self {
    var state = sha256_ctx()
    unsafe nettle_sha256_init(&state)
    unsafe content.withOctets { unsafe nettle_sha256_update(&state, $1, $0) }
    return unsafe digest(Int(SHA256_DIGEST_SIZE)) {
      unsafe nettle_sha256_digest(&state, $0.count, $0.baseAddress)
    }
  }

  /// FIPS 180-4.
  static func sha512(_ content: RawSpan) -> Self {
    var state = sha512_ctx()
    unsafe nettle_sha512_init(&state)
    unsafe content.withOctets { unsafe nettle_sha512_update(&state, $1, $0) }
    return unsafe digest(Int(SHA512_DIGEST_SIZE)) {
      unsafe nettle_sha512_digest(&state, $0.count, $0.baseAddress)
    }
  }

  /// BLAKE2b-512 without a key, RFC 7693.
  static func blake2b(_ content: RawSpan) -> Self {
    unsafe digest(64) { digest in
      // Fails for other sizes alone.
      _ = unsafe content.withOctets {
        unsafe crypto_generichash(digest.baseAddress!, digest.count, $0, UInt64($1), nil, 0)
      }
    }
  }

  private static func digest(_ size: Int, _ fill: (UnsafeMutableBufferPointer<UInt8>) -> Void) -> Self {
    var bytes = [UInt8](repeating: 0, count: size)
    unsafe bytes.withUnsafeMutableBufferPointer { unsafe fill($0) }
    return Self(bytes: bytes)
  }
}

extension RawSpan {
  fileprivate func withOctets<Result>(_ body: (UnsafePointer<UInt8>?, Int) -> Result) -> Result {
    unsafe withUnsafeBytes { bytes in
      unsafe body(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
  }
}

/// Ed25519, RFC 8032.
enum Ed25519 {
  static let keySize = 32
  static let signatureSize = 64

  /// - Parameters: Of their sizes.
  static func verifies(_ signature: [UInt8], of message: RawSpan, by key: [UInt8]) -> Bool {
    unsafe message.withOctets { unsafe crypto_sign_verify_detached(signature, $0, UInt64($1), key) } == 0
  }
}

enum Base64 {
  /// RFC 4648 section 4, with padding and nothing between the letters; nil if the text is anything else.
  static func bytes(_ text: some StringProtocol) -> [UInt8]? {
    let text = String(text)
    var bytes = [UInt8](repeating: 0, count: text.utf8.count)
    var count = 0
    let status = unsafe sodium_base642bin(
      &bytes, bytes.count, text, text.utf8.count, nil, &count, nil, sodium_base64_VARIANT_ORIGINAL)
    guard status == 0 else { return nil }
    return Array(bytes[..<count])
  }
}
