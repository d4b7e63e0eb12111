#if FastDecoders
internal import CNettle
#endif

/// SHA-256, FIPS 180-4.
struct SHA256 {
  /// A digest in hexadecimal.
  static func hex(of file: MemFile, _ cancellation: Cancellation) throws(ArchiveError) -> String {
    try file.withContent { content throws(ArchiveError) in
      var hash = Self()
      var start = 0
      while start < content.byteCount {
        try cancellation.check()
        let end = min(content.byteCount, start + Self.step)
        hash.update(content.extracting(start..<end))
        start = end
      }
      return hash.finish().map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined()
    }.get()
  }

  /// Bytes between two checks of the deadline.
  private static let step = 4 << 20

  #if FastDecoders
  private var state = sha256_ctx()

  init() { unsafe nettle_sha256_init(&state) }

  mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in
      let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe nettle_sha256_update(&state, bytes.count, start)
    }
  }

  mutating func finish() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
    unsafe nettle_sha256_digest(&state, digest.count, &digest)
    return digest
  }
  #else
  private var portable = PortableSHA256()

  init() {}

  mutating func update(_ bytes: RawSpan) { portable.update(bytes) }
  mutating func finish() -> [UInt8] { portable.finish() }
  #endif
}

/// SHA-256 where Nettle is not linked.
struct PortableSHA256 {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var count: UInt64 = 0
  private var words = [UInt32](repeating: 0, count: 64)

  mutating func update(_ bytes: RawSpan) {
    count += UInt64(bytes.byteCount)
    for byte in unsafe bytes.withUnsafeBytes({ unsafe Array($0) }) {
      pending.append(byte)
      if pending.count == 64 {
        compress()
        pending.removeAll(keepingCapacity: true)
      }
    }
  }

  mutating func finish() -> [UInt8] {
    let bits = count * 8
    pending.append(0x80)
    if pending.count > 56 {
      pending.grow(to: 64)
      compress()
      pending.removeAll()
    }
    pending.grow(to: 56)
    pending += (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) }
    compress()
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
  }

  private mutating func compress() {
    func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 { word >> count | word << (32 - count) }
    for index in 0..<16 {
      words[index] = (0..<4).reduce(0) { $0 << 8 | UInt32(pending[4 * index + $1]) }
    }
    for index in 16..<64 {
      let (early, late) = (words[index - 15], words[index - 2])
      words[index] =
        words[index - 16] &+ (rotated(early, 7) ^ rotated(early, 18) ^ early >> 3) &+ words[index - 7]
        &+ (rotated(late, 17) ^ rotated(late, 19) ^ late >> 10)
    }
    var now = state
    for index in 0..<64 {
      let (a, e) = (now[0], now[4])
      let first =
        now[7] &+ (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) &+ (e & now[5] ^ ~e & now[6])
        &+ Self.constants[index] &+ words[index]
      let second =
        (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) &+ (a & now[1] ^ a & now[2] ^ now[1] & now[2])
      now = [first &+ second, a, now[1], now[2], now[3] &+ first, e, now[5], now[6]]
    }
    for index in 0..<8 { state[index] &+= now[index] }
  }

  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}
