#if FastDecoders
/// Makes the decoder of a 7z's folder.
struct SevenZipDecoding {
  private let content: any SeekableSource
  private let context: ExtractionContext
  private let warnings: WarningLog
  /// The passphrase that fitted last.
  private var passphrase: String?
  /// The key of one passphrase, which takes a tenth of a second to make.
  private struct Key {
    let passphrase: String
    let salt: [UInt8]
    let rounds: UInt8
    let bytes: [UInt8]
  }
  /// The keys used last, the last of all at the end.
  private var keys: [Key] = []
  private static let mostKeys = 16

  init(_ content: any SeekableSource, _ context: ExtractionContext, _ warnings: WarningLog) {
    (self.content, self.context, self.warnings) = (content, context, warnings)
  }

  /// Upper bound of the memory of one folder's decoders together, which is that of a decoder of xz.
  private static let mostMemory = Int64(Filter.mostMemory) + 64 << 20

  /// A folder and where its packed streams are.
  private struct Place {
    let folder: SevenZipFolder
    let packed: ArraySlice<Range<Int64>>

    init(_ index: Int, _ streams: SevenZipStreams) {
      folder = streams.folders[index]
      packed = streams.packed[streams.firstPacked[index]...].prefix(folder.packedCount)
    }

    /// The number of bytes of an input.
    func inputSize(_ input: Int) -> Int64 {
      switch folder.origins[input] {
      case .coder(let other): folder.coders[other].size
      case .packed(let number): Int64(packed[packed.startIndex + number].count)
      }
    }
  }

  /// A decoder of a folder, from its beginning.
  mutating func folder(_ index: Int, of streams: SevenZipStreams) throws(ArchiveError) -> any ByteSource {
    let place = Place(index, streams)
    guard place.folder.memory <= Self.mostMemory else {
      throw .unsupportedCoder("coders that take \(place.folder.memory >> 20) MiB of memory")
    }
    if place.folder.isEncrypted {
      try choosePassphrase(place, place.folder.firstStream.map { streams.streams[$0] })
    }
    return try decoder(place.folder.last, place)
  }

  /// The bytes of a packed header.
  mutating func header(
    _ streams: SevenZipStreams, _ account: EntryAccount, step: Int
  ) throws(ArchiveError) -> [UInt8] {
    guard let stream = streams.streams.first, streams.streams.count == 1 else {
      throw .sevenZipHeader("is packed as \(streams.streams.count) streams")
    }
    let folder = try folder(0, of: streams)
    var bytes: [UInt8] = []
    do throws(ArchiveError) {
      // Never more than there turns out to be, whatever size is stated.
      while Int64(bytes.count) < stream.size {
        let count = Int(min(Int64(step), stream.size - Int64(bytes.count)))
        try account.hold(Int64(count), entry: nil)
        let start = bytes.count
        bytes.grow(to: start + count)
        let read = try folder.read(into: &bytes, from: start)
        bytes.removeSubrange((start + read)...)
        guard read > 0 else { throw .sevenZipHeader("is shorter than the archive says") }
        try context.cancellation.check()
      }
      var more: [UInt8] = [0]
      guard try folder.read(into: &more) == 0 else {
        throw .sevenZipHeader("is longer than the archive says")
      }
      if let wanted = stream.checksum {
        var checksum = CRC32()
        unsafe checksum.update(bytes.span.bytes)
        try checksum.check(against: wanted)
      }
    } catch {
      throw streams.folders[0].isEncrypted ? error.orWrongPassphrase : error
    }
    return bytes
  }

  // MARK: Passphrases

  /// Decides which passphrase fits a folder: the one whose first stream is what its checksum says. The last one is left to be
  /// tried by whoever reads.
  private mutating func choosePassphrase(
    _ place: Place, _ first: SevenZipStreams.Stream?
  ) throws(ArchiveError) {
    var candidates = context.options.passphrases
    guard !candidates.isEmpty else { throw .passphraseRequired }
    if let index = candidates.firstIndex(where: { $0 == passphrase }) { candidates.swapAt(0, index) }
    for candidate in candidates {
      passphrase = candidate
      try makeKeys(candidate, place)
      if candidate == candidates.last { return }
      if try fits(place, first) { return }
    }
  }

  /// Makes the keys for each coder, unless they have been made.
  private mutating func makeKeys(_ passphrase: String, _ place: Place) throws(ArchiveError) {
    for coder in place.folder.coders where coder.method == .aes {
      let parameters = try AESDecoder.Parameters(coder.properties)
      let isSame = { (key: Key) in
        key.passphrase == passphrase && key.salt == parameters.salt && key.rounds == parameters.rounds
      }
      let key: Key
      if let known = keys.firstIndex(where: isSame) {
        key = keys.remove(at: known)
      } else {
        key = Key(
          passphrase: passphrase, salt: parameters.salt, rounds: parameters.rounds,
          bytes: try AESDecoder.key(parameters, passphrase, context.cancellation))
      }
      if keys.count >= Self.mostKeys { keys.removeFirst() }
      keys.append(key)
    }
  }

  /// Whether a folder's first stream is what its checksum says.
  private func fits(_ place: Place, _ stream: SevenZipStreams.Stream?) throws(ArchiveError) -> Bool {
    guard let stream, let wanted = stream.checksum else { return true }
    do throws(ArchiveError) {
      let decoder = try decoder(place.folder.last, place)
      var (checksum, left) = (CRC32(), stream.size)
      var block = [UInt8](repeating: 0, count: 64 << 10)
      while left > 0 {
        try context.cancellation.check()
        let count = try decoder.read(into: &block)
        guard count > 0 else { return false }
        let used = Int(min(Int64(count), left))
        checksum.update(unsafe block.span.bytes.extracting(0..<used))
        left -= Int64(used)
      }
      return checksum.value == wanted
    } catch {
      guard [.corrupt, .truncated, .unsupportedFeature].contains(error.code) else { throw error }
      return false
    }
  }

  // MARK: Coders

  /// A decoder of one coder's output. The coders of a folder are a tree, so this ends.
  private func decoder(_ coder: Int, _ place: Place) throws(ArchiveError) -> any ByteSource {
    let description = place.folder.coders[coder]
    let inputs = description.inputs
    guard inputs.count == (description.method == .bcj2 ? 4 : 1) else {
      throw .unsupportedCoder("\(description.method) with \(inputs.count) streams")
    }
    let input = try input(inputs.lowerBound, place)
    switch description.method {
    case .copy: return input
    case .lzma, .lzma2, .filter, .delta: return try chain(coder, place)
    case .bzip2: return BZip2Decoder(input, threads: 1, warnings: warnings)
    case .deflate: return try InflateDecoder(input)
    case .zstd: return try ZstdDecoder(input)
    case .ppmd:
      return try PPMdDecoder(input, description, packedSize: place.inputSize(inputs.lowerBound))
    case .bcj2:
      var others: [any ByteSource] = [input]
      for other in inputs.dropFirst() { others.append(try self.input(other, place)) }
      return BCJ2Decoder(others, size: description.size)
    case .aes:
      let parameters = try AESDecoder.Parameters(description.properties)
      guard let key = keys.last(where: { $0.salt == parameters.salt && $0.rounds == parameters.rounds })
      else {
        throw .passphraseRequired
      }
      return AESDecoder(input, size: description.size, key: key.bytes, vector: parameters.vector)
    case .other: throw .unsupportedCoder("\(description.method)")
    }
  }

  private func input(_ input: Int, _ place: Place) throws(ArchiveError) -> any ByteSource {
    switch place.folder.origins[input] {
    case .coder(let other): SizedSource(try decoder(other, place), size: place.folder.coders[other].size)
    case .packed(let number): PackedStream(content, place.packed[place.packed.startIndex + number])
    }
  }

  /// Filters, with the LZMA or LZMA2 before them if that is what they filter, which liblzma decodes in one go.
  private func chain(_ coder: Int, _ place: Place) throws(ArchiveError) -> any ByteSource {
    let chain = try LZMAChain()
    let folder = place.folder
    var (next, filters) = (folder.coders[coder], 0)
    while next.method.isFilter {
      try chain.add(next)
      filters += 1
      guard case .coder(let index) = folder.origins[next.inputs.lowerBound],
        folder.coders[index].inputs.count == 1,
        folder.coders[index].size == next.size,
        folder.coders[index].method.isLZMA
          || (folder.coders[index].method.isFilter && filters < LZMAChain.mostFilters)
      else {
        try chain.startStored(try input(next.inputs.lowerBound, place))
        return chain
      }
      next = folder.coders[index]
    }
    let first = next.inputs.lowerBound
    try chain.start(next, try input(first, place), packedSize: place.inputSize(first))
    return chain
  }
}

extension ArchiveError {
  static var passphraseRequired: Self { .passphraseRequired("the content is encrypted") }

  /// The error for encrypted data that is not what its checksum says.
  var orWrongPassphrase: Self {
    guard code == .corrupt || code == .truncated else { return self }
    return .wrongPassphrase("the passphrase is wrong, or the data is damaged: \(reason)", entry: entry)
  }
}
#endif
