extension ArchiveError {
  /// libarchive has few error numbers and they are not errno's, so its words decide what happened.
  ///
  /// - Parameters:
  ///   - wasRefusedMemory: Whether memory was refused to a decoder, whatever libarchive says.
  ///   - sourceEnded: Whether libarchive has asked for more bytes than there are.
  static func libArchive(_ text: String, call: String, wasRefusedMemory: Bool, sourceEnded: Bool) -> Self {
    let words = text.lowercased()
    func says(_ some: String...) -> Bool { some.contains { words.contains($0) } }
    if says("unrecognized archive format") { return .unrecognized() }
    if says("passphrase required") { return .passphraseRequired(text, call: call) }
    if says("incorrect passphrase") { return .wrongPassphrase(text, call: call) }
    if says(
      "unsupported", "not supported", "not implemented", "too many filters", "unavailable", "no support",
      "declared solid file")
    {
      return .unsupportedMethod(text, call: call)
    }
    // In a header, a size that nobody has the memory for is damage, unless libarchive says otherwise.
    let isRefused = call == "archive_read_data_block" && says("allocate")
    if wasRefusedMemory || isRefused
      || says("can't allocate", "cannot allocate", "out of memory", "no memory")
    {
      return Self(
        .outOfMemory, "it takes more memory to decode than there is: \(text)", call: call,
        advice: """
          Free memory; if there is enough, the archive asks for more than the sandbox has for decoding, \
          \(Lockdown.mostData >> 30) GiB.
          """)
    }
    if sourceEnded || says("truncated", "premature", "end of file") { return .truncated(text, call: call) }
    return .corrupt(text, call: call)
  }
}
