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

  /// Recognizes and removes one layer after another, at most `depth`.
  /// - Parameters:
  ///   - name: The archive's own file name, from which a lone compressed file's is derived.
  ///   - threads: With more than one, decoding runs ahead on another thread.
  ///   - engine: The decoder of formats that both this library and libarchive decode.
  ///   - stop: Ends a read of `source` that waits.
  init(
    peeling source: any ByteSource, name: String?, depth: Int, threads: Int,
    engine: ExtractionContext.Hooks.Engine,
    warnings: WarningLog, stop: Cancellation
  ) throws(ArchiveError) {
    var content = source
    var filters: [Filter] = []
    var gzip: GzipDecoder?
    while true {
      let buffered = BufferedSource(content)
      let head = try buffered.peek(Filter.headSize)
      switch Filter.recognize(head) {
      case .refused(let format): throw .refused(format)
      case .filter(let filter):
        guard filters.count < depth else { throw .tooManyLayers(depth) }
        filters.append(filter)
        gzip = filter == .gzip && engine == .own ? try GzipDecoder(buffered, warnings: warnings) : nil
        content =
          switch filter {
          case _ where engine == .libarchive: try FilterDecoder(filter, of: buffered)
          case .gzip: gzip ?? buffered
          case .lz4: try LZ4Decoder(buffered, warnings: warnings)
          #if FastDecoders
          case .xz: try XZDecoder(buffered, threads: threads)
          case .lzma, .lzip: try LZMADecoder(filter, of: buffered, warnings: warnings)
          case .zstd: try ZstdDecoder(buffered)
          #endif
          default: try FilterDecoder(filter, of: buffered)
          }
      case .none:
        let format = FormatSignature.recognize(head)
        self.head = format == nil ? try buffered.peek(FormatSignature.headSize) : head
        self.format = format ?? FormatSignature.recognize(self.head)
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
