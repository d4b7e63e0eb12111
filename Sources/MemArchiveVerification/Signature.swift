public import MemArchive

extension Verification {
  /// An Ed25519 signature of an archive.
  public struct Signature: Sendable {
    private enum Format {
      case raw([UInt8])
      case minisign(MinisignSignature)
      case ssh(SSHSignature, namespace: String)
    }

    private let format: Format

    /// The signature itself, of the archive's bytes: RFC 8032 section 5.1.6, without prehashing and context.
    ///
    /// - Parameter bytes: The 64 bytes.
    /// - Throws: `ArchiveError.Code.notVerified` if it does not have 64 bytes.
    public init(ed25519 bytes: [UInt8]) throws(ArchiveError) {
      guard bytes.count == Ed25519.signatureSize else {
        throw .notVerified(
          "a signature of \(bytes.count) bytes is none of Ed25519", advice: "Give one of 64 bytes.")
      }
      format = .raw(bytes)
    }

    /// A signature in the format of minisign(1) (ARCHIVE.minisig), of `ssh-keygen -Y sign` (ARCHIVE.sig), or its 64 bytes in base64.
    ///
    /// - Parameters:
    ///   - text: The content of the file.
    ///   - namespace: What an SSH signature must have been made for (`ssh-keygen -n`).
    /// - Throws: `ArchiveError.Code.notVerified` if it is none of these.
    public init(parsing text: String, namespace: String = "file") throws(ArchiveError) {
      if let signature = MinisignSignature(text) {
        format = .minisign(signature)
      } else if let signature = SSHSignature(text) {
        format = .ssh(signature, namespace: namespace)
      } else if let bytes = Base64.bytes(text.filter { !$0.isNewline }), bytes.count == Ed25519.signatureSize
      {
        format = .raw(bytes)
      } else {
        throw .notVerified(
          "the signature is none of minisign, ssh-keygen -Y sign or 64 bytes in base64",
          advice: "Give the signature's file; other kinds than Ed25519 are not read.")
      }
    }

    /// The trusted comment of a minisign signature, once it is verified that the owner of `key` has written it for this signature; nil for other formats.
    ///
    /// What the signature signs is another matter: see `ArchiveReader.verified(by:limits:)`.
    ///
    /// - Parameter key: The signer's.
    /// - Throws: `ArchiveError.Code.notVerified`.
    public func trustedComment(of key: PublicKey) throws(ArchiveError) -> String? {
      guard case .minisign(let signature) = format else { return nil }
      return try signature.checkedComment(key)
    }

    func check(_ content: RawSpan, by key: Verification.PublicKey) throws(ArchiveError) {
      switch format {
      case .raw(let bytes):
        guard Ed25519.verifies(bytes, of: content, by: key.bytes) else { throw .wrongSignature() }
      case .minisign(let signature): try signature.check(content, by: key)
      case .ssh(let signature, let namespace): try signature.check(content, by: key, namespace: namespace)
      }
    }
  }
}

/// minisign(1), the section "Signature format" of its manual.
struct MinisignSignature {
  private let isPrehashed: Bool
  private let number: [UInt8]
  private let signature: [UInt8]
  private let comment: String
  /// Of the signature and the comment.
  private let commentSignature: [UInt8]

  /// nil if the text is no such file.
  init?(_ text: String) {
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    let prefix = "trusted comment: "
    guard lines.count >= 4, lines[4...].allSatisfy(\.isEmpty), lines[0].hasPrefix("untrusted comment:"),
      let blob = Base64.bytes(lines[1]), blob.count == 10 + Ed25519.signatureSize,
      blob.starts(with: "Ed".utf8) || blob.starts(with: "ED".utf8), lines[2].hasPrefix(prefix),
      let second = Base64.bytes(lines[3]), second.count == Ed25519.signatureSize
    else { return nil }
    isPrehashed = blob.starts(with: "ED".utf8)
    number = Array(blob[2..<10])
    signature = Array(blob[10...])
    comment = String(lines[2].dropFirst(prefix.count))
    commentSignature = second
  }

  func check(_ content: RawSpan, by key: Verification.PublicKey) throws(ArchiveError) {
    try checkNumber(key)
    let isRight =
      isPrehashed
      ? unsafe Ed25519.verifies(signature, of: Digest.blake2b(content).bytes.span.bytes, by: key.bytes)
      : Ed25519.verifies(signature, of: content, by: key.bytes)
    guard isRight else { throw .wrongSignature() }
    _ = try checkedComment(key)
  }

  func checkedComment(_ key: Verification.PublicKey) throws(ArchiveError) -> String {
    try checkNumber(key)
    let signed = signature + Array(comment.utf8)
    guard unsafe Ed25519.verifies(commentSignature, of: signed.span.bytes, by: key.bytes) else {
      throw .notVerified(
        "the trusted comment of its signature was changed", advice: "Get the signature again.")
    }
    return comment
  }

  private func checkNumber(_ key: Verification.PublicKey) throws(ArchiveError) {
    guard let expected = key.minisignNumber, expected != number else { return }
    // As minisign(1) prints them: as a number, of which the first byte is the least.
    func text(_ number: [UInt8]) -> String { Digest(bytes: number.reversed()).description.uppercased() }
    throw .notVerified(
      "it is signed by the key \(text(number)), and not by \(text(expected))",
      advice: "Give the signer's public key, if you trust it.")
  }
}

/// `ssh-keygen -Y sign`: PROTOCOL.sshsig of OpenSSH.
struct SSHSignature {
  static let algorithm = "ssh-ed25519"
  private static let magic = Array("SSHSIG".utf8)

  private let key: [UInt8]
  private let namespace: [UInt8]
  private let reserved: [UInt8]
  private let hash: String
  private let signature: [UInt8]

  /// nil if the text is no such file, or not of an Ed25519 key.
  init?(_ text: String) {
    let lines = text.split(whereSeparator: \.isNewline)
    guard lines.first == "-----BEGIN SSH SIGNATURE-----", lines.last == "-----END SSH SIGNATURE-----",
      let blob = Base64.bytes(lines.dropFirst().dropLast().joined()), blob.starts(with: Self.magic)
    else { return nil }
    var fields = Fields(blob.dropFirst(Self.magic.count))
    guard fields.number() == 1, let keyBlob = fields.string(), let key = Self.key(keyBlob),
      let namespace = fields.string(), let reserved = fields.string(), let hash = fields.string(),
      let inner = fields.string(), fields.isAtEnd
    else { return nil }
    var signature = Fields(inner[...])
    guard signature.string() == Array(Self.algorithm.utf8), let bytes = signature.string(),
      bytes.count == Ed25519.signatureSize, signature.isAtEnd
    else { return nil }
    (self.key, self.namespace, self.reserved) = (key, namespace, reserved)
    self.hash = String(decoding: hash, as: UTF8.self)
    self.signature = bytes
  }

  /// The key in a public key's blob, RFC 8709 section 4.
  static func key(_ blob: [UInt8]) -> [UInt8]? {
    var fields = Fields(blob[...])
    guard fields.string() == Array(algorithm.utf8), let key = fields.string(), fields.isAtEnd,
      key.count == Ed25519.keySize
    else { return nil }
    return key
  }

  func check(_ content: RawSpan, by key: Verification.PublicKey, namespace: String) throws(ArchiveError) {
    guard self.key == key.bytes else {
      throw .notVerified(
        "it is signed by another key", advice: "Give the signer's public key, if you trust it.")
    }
    guard self.namespace == Array(namespace.utf8) else {
      throw .notVerified(
        "its signature is for \"\(String(decoding: self.namespace, as: UTF8.self))\", not for \"\(namespace)\"",
        advice: "Sign it by ssh-keygen -Y sign -n \(namespace).")
    }
    let digest: Digest
    switch hash {
    case "sha256": digest = .sha256(content)
    case "sha512": digest = .sha512(content)
    default: throw .notVerified("its signature names an unknown digest", advice: "Sign it again.")
    }
    var signed = Self.magic
    for field in [self.namespace, reserved, Array(hash.utf8), digest.bytes] {
      signed += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: field.count >> $0) } + field
    }
    guard unsafe Ed25519.verifies(signature, of: signed.span.bytes, by: key.bytes) else {
      throw .wrongSignature()
    }
  }

  /// The fields of a message, RFC 4251 section 5; nil once there are too few bytes.
  private struct Fields {
    private var rest: ArraySlice<UInt8>
    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }
    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() -> Int? {
      guard rest.count >= 4 else { return nil }
      defer { rest = rest.dropFirst(4) }
      return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    mutating func string() -> [UInt8]? {
      guard let count = number(), count <= rest.count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
  }
}

extension ArchiveError {
  fileprivate static func wrongSignature() -> Self {
    .notVerified(
      "its signature is not of these bytes by this key",
      advice: "Get archive and signature again; both must be of the same version.")
  }
}
