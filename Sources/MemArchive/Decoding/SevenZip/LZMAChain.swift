#if FastDecoders
internal import CLZMA
internal import SystemPackage

/// Decodes LZMA or LZMA2, and the filters after it, as a 7z stores them: by liblzma's raw decoder.
@safe final class LZMAChain: ByteSource {
  private let chain: UnsafeMutablePointer<clzma_chain>
  private var input = InputBuffer(MemorySource([]), capacity: 0)
  private var atEnd = false
  private var isFull = false
  private var failure: ArchiveError?
  private var methods: [String] = []

  /// Upper bound of filters, by liblzma.
  static let mostFilters = 3

  init() throws(ArchiveError) {
    guard let chain = unsafe clzma_create_chain() else {
      throw .system("malloc", .noMemory, doing: "starting an LZMA decoder")
    }
    unsafe self.chain = chain
  }

  deinit { unsafe clzma_destroy_chain(chain) }

  var progress: SourceProgress { input.progress }

  /// Adds a filter, of those that were applied the one before the last one added.
  func add(_ coder: SevenZipFolder.Coder) throws(ArchiveError) {
    let properties = coder.properties
    methods.append("\(coder.method)")
    switch (coder.method, properties.count) {
    case (.delta, 1):
      unsafe clzma_add_filter(chain, 3, UInt32(properties[0]) + 1, 0)
    case (.filter(let id), 0): unsafe clzma_add_filter(chain, id, 0, 0)
    case (.filter(let id), 4):
      unsafe clzma_add_filter(chain, id, 0, properties.little(UInt32.self, at: 0))
    default: throw .unsupportedCoder("\(coder.method) with \(properties.count) bytes of options")
    }
  }

  /// Begins to decode LZMA or LZMA2.
  ///
  /// - Parameter packedSize: The number of bytes of `source`.
  func start(
    _ coder: SevenZipFolder.Coder, _ source: any ByteSource, packedSize: Int64
  ) throws(ArchiveError) {
    let properties = coder.properties
    guard let dictionary = coder.dictionary, coder.method == .lzma2 || properties[0] < 9 * 5 * 5 else {
      throw .sevenZipHeader("has impossible options of \(coder.method)")
    }
    methods.append("\(coder.method)")
    try start(
      coder.method == .lzma ? CInt(properties[0]) : -1, dictionary: dictionary, size: coder.size, source,
      packedSize)
  }

  /// Begins to filter what is not compressed by LZMA: liblzma only filters behind a decoder, so it is given LZMA2 that is only
  /// stored.
  func startStored(_ source: any ByteSource) throws(ArchiveError) {
    try start(-1, dictionary: UInt32(StoredLZMA2.chunk), size: 0, StoredLZMA2(source), .max)
  }

  private func start(
    _ parameters: CInt, dictionary: UInt32, size: Int64, _ source: any ByteSource, _ packedSize: Int64
  ) throws(ArchiveError) {
    input = InputBuffer(source, capacity: Int(clamping: packedSize))
    let status = unsafe clzma_start_chain(chain, parameters, dictionary, UInt64(size))
    switch status {
    case LZMA_OK: break
    case LZMA_OPTIONS_ERROR:
      throw .unsupportedCoder("\(methods.joined(separator: " and ")) in a way that liblzma does not know")
    default: throw .system("lzma_raw_decoder", .noMemory, doing: "starting an LZMA decoder")
    }
  }

  /// Returns content that precedes a failure first.
  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if let failure { throw failure }
    while !atEnd {
      let produced = try decode(into: &buffer)
      if produced > 0 { return produced }
      if let failure { throw failure }
    }
    return 0
  }

  private func decode(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    // What came before has filled the buffer: there may be more of it.
    let hasInput = isFull ? true : try input.has(1)
    let capacity = buffer.byteCount
    let (status, produced) = unsafe input.decode(by: clzma_chain_stream(chain), LZMA_RUN, into: &buffer)
    isFull = produced == capacity
    switch status {
    case LZMA_OK where hasInput || produced > 0: break
    case LZMA_BUF_ERROR where hasInput: break
    case LZMA_OK, LZMA_BUF_ERROR: failure = .corrupt("the LZMA data ends too early", call: "lzma_code")
    case LZMA_STREAM_END:
      atEnd = true
      if try input.has(1) { failure = .corrupt("the LZMA data ends before its packed bytes do") }
    case LZMA_MEM_ERROR: failure = .system("lzma_code", .noMemory, doing: "decoding LZMA")
    default: failure = .corrupt("the LZMA data is damaged", call: "lzma_code")
    }
    return produced
  }
}

/// LZMA2 that stores what it is given (The .xz File Format, 5.3.1; liblzma's lzma2_decoder.c).
private final class StoredLZMA2: ByteSource {
  private let source: any ByteSource
  private var bytes: [UInt8] = []
  private var rest = 0..<0
  private var isFirst = true
  private var atEnd = false

  /// The most that a chunk holds.
  static let chunk = 1 << 16
  private static let headerSize = 3

  init(_ source: any ByteSource) { self.source = source }

  var progress: SourceProgress { source.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    if rest.isEmpty {
      guard !atEnd else { return 0 }
      bytes.grow(to: Self.headerSize + Self.chunk)
      let count = try source.read(into: &bytes, from: Self.headerSize)
      atEnd = count == 0
      // The first chunk resets the dictionary.
      bytes[0] = atEnd ? 0 : isFirst ? 1 : 2
      bytes[1] = UInt8(max(0, count - 1) >> 8)
      bytes[2] = UInt8(max(0, count - 1) & 0xFF)
      isFirst = false
      rest = 0..<(atEnd ? 1 : Self.headerSize + count)
    }
    let count = min(rest.count, buffer.byteCount)
    unsafe buffer.copy(bytes.span.bytes.extracting(rest.lowerBound..<rest.lowerBound + count))
    rest = rest.lowerBound + count..<rest.upperBound
    return count
  }
}
#endif
