/// An archive with every layer of compression removed.
struct FilterChain {
  /// The content beneath: seekable exactly if there was no layer and the archive itself is seekable.
  let content: any ByteSource
  /// The first bytes of the content.
  let head: [UInt8]
  /// The format that they belong to; nil if only later bytes could tell.
  let format: ArchiveFormats?
  /// Whether a layer was removed.
  var isCompressed: Bool { !filters.isEmpty }

  private let filters: [Filter]
  private let innermostGzip: GzipDecoder?
  private let outerName: String?

  /// Recognizes and takes off one layer after another, at most `depth`.
  ///
  /// Any content may look like uuencode, say: below another layer, and where a file that is merely compressed is not to be read,
  /// only what leads to a container is taken off.
  /// - Parameters:
  ///   - name: the archive's own file name, from which a lone compressed file's is derived.
  ///   - allowed: the formats that may be read: where that is only a file that somebody compressed, one layer is taken off.
  ///   - threads: with more than one, decoding goes on while what was decoded is read.
  ///   - engine: who takes off what libarchive does not have to.
  ///   - stop: ends a read of `source` that waits.
  ///   - parted: the content of the only layer around an archive that is read in order, at any offset.
  ///   - indexer: Notes where the outermost layer can be decoded from, if that is gzip.
  init(
    peeling source: any ByteSource, name: String?, depth: Int, allowed: ArchiveFormats, threads: Int,
    engine: ExtractionContext.Hooks.Engine,
    warnings: WarningLog, stop: Cancellation, parted: PartedContent? = nil,
    indexer: GzipIndexer? = nil
  ) throws(ArchiveError) {
    if let parted {
      (content, head, format) = (parted.source, parted.head, parted.format)
      (filters, innermostGzip, outerName) = ([parted.filter], nil, name)
      return
    }
    var content = source
    var filters: [Filter] = []
    var gzip: GzipDecoder?
    while true {
      let buffered = BufferedSource(content)
      let head = try Self.head(of: buffered)
      var recognition =
        allowed == .loneFile && !filters.isEmpty && filters.last != .rpm ? .none : Filter.recognize(head)
      if case .filter(let filter) = recognition, filter.isGuess,
        !filters.isEmpty || !allowed.contains(.loneFile),
        try !Self.leadsToContainer(filter, try buffered.peek(Self.trialSize), engine, depth: depth)
      {
        guard !filters.isEmpty else { throw .disallowed(.loneFile) }
        recognition = .none
      }
      switch recognition {
      case .refused(let format): throw .refused(format)
      case .filter(let filter):
        guard filters.count < depth else { throw .tooManyLayers(depth) }
        filters.append(filter)
        content =
          if let indexer, filter == .gzip, filters.count == 1 {
            try GzipDecoder(buffered, warnings: warnings, indexer: indexer)
          } else {
            try Self.decoder(filter, of: buffered, threads: threads, engine, warnings)
          }
        gzip = content as? GzipDecoder
      case .none:
        let isWrapped = !filters.isEmpty
        let format = FormatSignature.recognize(head, isWrapped: isWrapped)
        self.head = format == nil ? try buffered.peek(FormatSignature.headSize) : head
        self.format = format ?? FormatSignature.recognize(self.head, isWrapped: isWrapped)
        if self.format != .cpio {
          // rpm(8) leaves the headers out where a file has 4 GiB or more: sizes and names are in the rpm's own header.
          guard !head.starts(with: "07070X".utf8) else { throw .strippedCpio }
          guard filters.last(where: { $0 == .rpm }) == nil else {
            throw .corrupt("the rpm's payload is no cpio archive")
          }
        }
        if filters.isEmpty, let seekable = source.seekable {
          seekable.position = 0
          self.content = seekable
        } else if filters.isEmpty || threads == 1 {
          self.content = buffered
        } else {
          self.content = ReadAheadSource(buffered, stop: stop)
        }
        self.filters = filters
        innermostGzip = gzip
        outerName = name
        return
      }
    }
  }

  /// What is in an archive's only layer of compression, where that can be read at any offset, and is an archive that is read in
  /// order: others would be decoded from the beginning of a part again and again.
  struct PartedContent {
    let source: PartedSource
    fileprivate let filter: Filter
    fileprivate let head: [UInt8]
    fileprivate let format: ArchiveFormats

    /// nil if it is anything else; then `source` is where it was.
    ///
    /// - Parameter index: Of the archive, which it has to be of.
    init?(
      _ source: any ByteSource, by index: (any SeekableSource)?, in ledger: Ledger,
      _ cancellation: Cancellation
    ) throws(ArchiveError) {
      guard let source = source.seekable,
        case .filter(let filter) = Filter.recognize(try source.bytes(Filter.headSize, at: 0))
      else {
        guard index == nil else { throw GzipIndex.ofAnother }
        return nil
      }
      let parted: PartedSource?
      if let index {
        guard filter == .gzip else { throw GzipIndex.ofAnother }
        parted = try GzipIndex.source(index, of: source, ledger, cancellation)
      } else {
        parted = try filter.parted(source, in: ledger, cancellation)
      }
      guard let parted else { return nil }
      do throws(ArchiveError) { head = try parted.bytes(FormatSignature.headSize, at: 0) } catch {
        // The ordinary decoder says what is wrong with it.
        guard index == nil, error.concernsArchive else { throw error }
        return nil
      }
      guard let format = FormatSignature.recognize(head, isWrapped: true), format.isReadInOrder else {
        guard index == nil else { throw GzipIndex.ofAnother }
        return nil
      }
      (self.source, self.filter, self.format) = (parted, filter, format)
    }
  }

  private static func decoder(
    _ filter: Filter, of source: BufferedSource, threads: Int, _ engine: ExtractionContext.Hooks.Engine,
    _ warnings: WarningLog
  ) throws(ArchiveError) -> any ByteSource {
    switch filter {
    case _ where engine == .libarchive: try FilterDecoder(filter, of: source)
    case .gzip: try GzipDecoder(source, threads: threads, warnings: warnings)
    case .bzip2: BZip2Decoder(source, threads: threads, warnings: warnings)
    case .lz4: try LZ4Decoder(source, warnings: warnings)
    case .compress: CompressDecoder(source)
    case .uu: UUDecoder(source, warnings: warnings)
    case .rpm: RPMSource(source)
    #if FastDecoders
    case .xz: try XZDecoder(source, threads: threads)
    case .lzma, .lzip: try LZMADecoder(filter, of: source, warnings: warnings)
    case .zstd: try ZstdDecoder(source)
    #else
    default: try FilterDecoder(filter, of: source)
    #endif
    }
  }

  /// The first bytes, all of the skippable frames that may open a stream among them, up to a bound.
  private static func head(of source: BufferedSource) throws(ArchiveError) -> [UInt8] {
    var head = try source.peek(Filter.headSize)
    while let end = Filter.endOfSkippableFrames(head), end + 8 > head.count, end < mostSkipped {
      let more = try source.peek(end + 8)
      if more.count == head.count { break }
      head = more
    }
    return head
  }

  /// As many bytes of skippable frames are looked beyond.
  private static let mostSkipped = 1 << 20
  /// As many bytes are decoded to see whether a container comes out.
  private static let trialSize = 64 << 10

  /// Whether a container, or a layer that is known for certain, comes out of what begins like this.
  private static func leadsToContainer(
    _ filter: Filter, _ head: [UInt8], _ engine: ExtractionContext.Hooks.Engine, depth: Int
  ) throws(ArchiveError) -> Bool {
    let unheard = WarningLog(Ledger(ExtractionLimits(heldBytes: .max)))
    do throws(ArchiveError) {
      let decoder = try decoder(filter, of: BufferedSource(MemorySource(head)), threads: 1, engine, unheard)
      let content = try BufferedSource(decoder).peek(FormatSignature.headSize)
      if case .filter(let inner) = Filter.recognize(content) {
        if !inner.isGuess { return true }
        if depth > 1, try leadsToContainer(inner, content, engine, depth: depth - 1) { return true }
      }
      return FormatSignature.recognize(content, isWrapped: true) != nil
    } catch {
      guard [.corrupt, .truncated, .unsupportedFeature].contains(error.code) else { throw error }
      return false
    }
  }

  /// The name of an entry in a 7z that stores none, as its own program gives it: the archive's without the suffix.
  var nameOfNameless: [UInt8]? {
    guard format == .sevenZip else { return nil }
    let name = contentName
    return EntryName.raw(name.hasSuffix(".7z") ? String(name.dropLast(3)) : name)
  }

  /// The time of the content when it is a lone compressed file and gzip stored one.
  var contentTime: ArchiveEntry.Time? { innermostGzip?.storedTime.map { ArchiveEntry.Time(seconds: $0) } }

  /// The comment on the content when it is a lone compressed file and gzip stored one.
  var contentComment: [UInt8]? { innermostGzip?.storedComment }

  /// The name of the content when it is a lone compressed file: what gzip stored, or the archive's name without
  /// the suffixes of its chain.
  var contentName: String {
    if let stored = innermostGzip?.storedName {
      // Only the last component: a header must not choose a directory.
      let name = stored.split(separator: UInt8(ascii: "/")).last.map { EntryName.key($0) } ?? ""
      if !name.isEmpty { return name }
    }
    guard let outerName else { return "data" }
    return filters.reduce(outerName) { $1.inner(of: $0) }
  }
}
