public import MemArchive

/// What an archive's bytes have to agree with before anything of it is read.
public enum Verification: Sendable {
  /// The SHA-256 of the archive, 32 bytes (FIPS 180-4).
  case sha256([UInt8])
  /// A signature of the archive, by the owner of this key.
  case signature(Signature, PublicKey)

  /// A SHA-256 as sha256sum(1) prints it.
  ///
  /// - Parameter text: 64 digits, in either case.
  /// - Throws: `ArchiveError.Code.notVerified` if the text is not 64 hexadecimal digits.
  public static func sha256(hex text: String) throws(ArchiveError) -> Self {
    guard let digest = Digest(hex: text) else {
      throw .notVerified(
        "\"\(text)\" is no SHA-256 in hexadecimal", advice: "Give the 64 digits that sha256sum prints.")
    }
    return .sha256(digest.bytes)
  }
}

extension ArchiveReader {
  /// The same archive once its bytes are verified: read once into sealed memory, compared there, and read from there alone
  /// by whatever is called for the result. Nobody can exchange it in between, and no parser, no decoder and no worker has seen a byte of it
  /// before.
  ///
  /// ```swift
  /// let signature = try Verification.Signature(parsing: String(contentsOfFile: "bundle.tar.xz.minisig", encoding: .utf8))
  /// let key = try Verification.PublicKey(parsing: String(contentsOfFile: "release.pub", encoding: .utf8))
  /// let files = try ArchiveReader(path: "bundle.tar.xz").verified(by: .signature(signature, key)).extract()
  /// ```
  ///
  /// An archive that is a `MemFile` already is not copied. The memory, as many bytes as the archive has, is freed with the last copy of
  /// the result and of what reads it.
  ///
  /// - Parameters:
  ///   - verification: The digest or signature.
  ///   - limits: `heldBytes` bounds the archive's size.
  /// - Throws: `ArchiveError` with `ArchiveError.Code.notVerified` if it does not agree, and if it is in several files; otherwise as
  ///   `MemFile.init(name:reading:limits:)`.
  public func verified(
    by verification: Verification, limits: ExtractionLimits = ExtractionLimits()
  ) throws(ArchiveError) -> ArchiveReader {
    try verified(by: verification, in: ExtractionContext(ExtractionOptions(limits: limits)))
  }

  package func verified(
    by verification: Verification, in context: ExtractionContext
  ) throws(ArchiveError) -> ArchiveReader {
    let file = try sealed(in: context)
    try verification.check(file)
    return ArchiveReader(contentsOf: file)
  }
}

extension Verification {
  fileprivate func check(_ file: MemFile) throws(ArchiveError) {
    switch self {
    case .sha256(let expected):
      let found = try file.withBytes { Digest.sha256($0) }
      guard found.bytes == expected else {
        throw .notVerified(
          "its SHA-256 is \(found), and should be \(Digest(bytes: expected))",
          advice: "Get the archive again, from where the digest is from.")
      }
    case .signature(let signature, let key):
      try file.withBytes { content throws(ArchiveError) in try signature.check(content, by: key) }
    }
  }
}

extension ArchiveError {
  package static func notVerified(_ reason: String, advice: String) -> Self {
    Self(.notVerified, reason, advice: .other(advice))
  }
}
