import ArgumentParser
import MemArchive
import MemArchiveVerification

/// What an archive has to agree with before it is read.
struct VerificationOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp("Read the archive only if this is its SHA-256.", valueName: "hex"))
  var sha256: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Read archives only if their SHA-256 is that of their line in this file, as sha256sum writes it.",
      valueName: "file"),
    completion: .file())
  var sha256File: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Read archives only if they are signed by this key: of minisign or ssh-keygen, or an Ed25519 key's bytes.",
      valueName: "key"),
    completion: .file())
  var verify: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The signature of the archive. The default is its name with .minisig or .sig.", valueName: "file"),
    completion: .file())
  var signature: String?

  func validate() throws {
    if [sha256, sha256File, verify].count(where: { $0 != nil }) > 1 {
      throw ValidationError("--sha256, --sha256-file and --verify exclude each other.")
    }
    if signature != nil, verify == nil {
      throw ValidationError("--signature needs --verify and the signer's key.")
    }
    if let sha256, (try? Verification.sha256(hex: sha256)) == nil {
      throw ValidationError("--sha256 takes the 64 digits that sha256sum prints.")
    }
  }

  var isWanted: Bool { sha256 != nil || sha256File != nil || verify != nil }

  /// The archive in sealed memory, verified there.
  func verified(
    _ reader: ArchiveReader, _ argument: String, in context: ExtractionContext, _ options: ReadingOptions
  ) throws -> ArchiveReader {
    if let sha256 { return try reader.verified(by: .sha256(hex: sha256), in: context) }
    if let sha256File { return try reader.verified(by: listed(argument, in: sha256File), in: context) }
    let key = try publicKey()
    let (path, signature) = try signature(of: argument)
    let verified = try reader.verified(by: .signature(signature, key), in: context)
    if !options.quiet, let comment = try signature.trustedComment(of: key) {
      Diagnostics.report("\(Archive.name(of: argument)): verified by \(path): \(comment)")
    }
    return verified
  }

  /// The line of the archive, by its whole name or by the last part of it.
  private func listed(_ argument: String, in file: String) throws -> Verification {
    let sums = ChecksumFile(String(decoding: try Self.content(file), as: UTF8.self))
    let last = argument.split(separator: "/").last.map { String($0) }
    guard let sum = sums[argument] ?? last.flatMap({ sums[$0] }) else {
      throw ArchiveError.notVerified(
        "\(file) has no SHA-256 of it", advice: "Give the file that was made for this archive.")
    }
    return try .sha256(hex: sum)
  }

  private func publicKey() throws -> Verification.PublicKey {
    let bytes = try Self.content(verify ?? "")
    return bytes.count == 32
      ? try Verification.PublicKey(ed25519: bytes)
      : try Verification.PublicKey(parsing: String(decoding: bytes, as: UTF8.self))
  }

  private func signature(of argument: String) throws -> (path: String, Verification.Signature) {
    let paths = signature.map { [$0] } ?? (argument == "-" ? [] : ["\(argument).minisig", "\(argument).sig"])
    guard let path = paths.first(where: { RawText.exists(ArchiveEntry.rawName(of: $0)) }) ?? signature else {
      throw ArchiveError.notVerified(
        paths.isEmpty
          ? "standard input has no signature beside it"
          : "there is neither \(paths.joined(separator: " nor "))",
        advice: "Name the signature with --signature.")
    }
    let bytes = try Self.content(path)
    return (
      path,
      bytes.count == 64
        ? try Verification.Signature(ed25519: bytes)
        : try Verification.Signature(parsing: String(decoding: bytes, as: UTF8.self))
    )
  }

  private static func content(_ path: String) throws -> [UInt8] {
    do { return try RawText.content(ArchiveEntry.rawName(of: path)) } catch {
      Diagnostics.report("cannot read \"\(path)\": \(error)")
      throw ExitStatus.system
    }
  }
}

/// A file of sha256sum(1): its own lines, `HEX  NAME` and `HEX *NAME`, and those of --tag, `SHA256 (NAME) = HEX`.
struct ChecksumFile {
  private var sums: [Substring: Substring] = [:]

  init(_ text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      // Of a name with a backslash or a line's end in it.
      guard !line.hasPrefix("\\") else { continue }
      if line.hasPrefix("SHA256 ("), let end = line.ranges(of: ") = ").last {
        sums[line[..<end.lowerBound].dropFirst(8)] = line[end.upperBound...]
      } else if let space = line.firstIndex(of: " "), line[space...].count > 2 {
        sums[line[space...].dropFirst(2)] = line[..<space]
      }
    }
  }

  /// The digest of the file with this name, in hexadecimal.
  subscript(name: String) -> String? { sums[Substring(name)].map { String($0) } }
}
