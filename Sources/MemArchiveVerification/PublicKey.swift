public import MemArchive

extension Verification {
  /// A public key for Ed25519 signatures.
  public struct PublicKey: Hashable, Sendable {
    /// The key, 32 bytes.
    let bytes: [UInt8]
    /// The number that minisign(1) gives a pair of keys, by which a signature names its key; nil in the other formats.
    let minisignNumber: [UInt8]?

    /// The key itself, RFC 8032 section 5.1.5.
    ///
    /// - Parameter bytes: The 32 bytes.
    /// - Throws: `ArchiveError.Code.notVerified` if it does not have 32 bytes.
    public init(ed25519 bytes: [UInt8]) throws(ArchiveError) {
      guard bytes.count == Ed25519.keySize else {
        throw .notVerified(
          "a public key of \(bytes.count) bytes is none for Ed25519", advice: "Give one of 32 bytes.")
      }
      self.bytes = bytes
      minisignNumber = nil
    }

    /// A key in one of the formats of:
    ///
    /// - minisign(1): the file's two lines, or the second alone, which begins "RW";
    /// - ssh-keygen(1): the line of id_ed25519.pub, also as authorized_keys and allowed_signers have it, after other words;
    /// - the bytes themselves, in base64.
    ///
    /// - Parameter text: The content of the file, or the line.
    /// - Throws: `ArchiveError.Code.notVerified` if it is none of these.
    public init(parsing text: String) throws(ArchiveError) {
      let lines = text.split(whereSeparator: \.isNewline).filter {
        !$0.hasPrefix("untrusted comment:") && !$0.hasPrefix("#")
      }
      let words = lines.first?.split(separator: " ") ?? []
      if lines.count == 1, let name = words.firstIndex(of: Substring(SSHSignature.algorithm)),
        name + 1 < words.count,
        let blob = Base64.bytes(words[name + 1]), let key = SSHSignature.key(blob)
      {
        (bytes, minisignNumber) = (key, nil)
      } else if lines.count == 1, words.count == 1, let blob = Base64.bytes(words[0]) {
        if blob.count == Ed25519.keySize {
          (bytes, minisignNumber) = (blob, nil)
        } else if blob.count == 42, blob.starts(with: "Ed".utf8) {
          (bytes, minisignNumber) = (Array(blob[10...]), Array(blob[2..<10]))
        } else {
          throw Self.unknown
        }
      } else {
        throw Self.unknown
      }
    }

    private static var unknown: ArchiveError {
      .notVerified(
        "the public key is none of minisign, ssh-keygen (ssh-ed25519) or 32 bytes in base64",
        advice: "Give the public key's file, one key; other kinds than Ed25519 are not read.")
    }
  }
}
