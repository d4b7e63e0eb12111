internal import CLibArchive

/// Decodes one compression layer by libarchive's filter.
final class FilterDecoder: ByteSource {
  private let filter: Filter
  private let upstream: any ByteSource
  private let handle: ArchiveHandle
  private var atEnd: Bool

  init(_ filter: Filter, of upstream: any ByteSource) throws(ArchiveError) {
    self.filter = filter
    self.upstream = upstream
    do {
      handle = try ArchiveHandle.filter(filter, of: upstream)
      // The only "entry" of the raw format; there is none if the decoded content is empty.
      atEnd = try handle.nextHeader() == nil
    } catch {
      throw Self.explained(error, filter)
    }
  }

  var progress: SourceProgress { upstream.progress }

  func read(into buffer: inout MutableRawSpan) throws(ArchiveError) -> Int {
    guard !atEnd else { return 0 }
    do throws(ArchiveError) {
      let count = try handle.readData(into: &buffer)
      atEnd = count == 0
      // libarchive before 3.7.3: if 64 KiB of content end with a member, and a block of input just before its end marker,
      // it takes the end of the member for the end of the stream, and checks nothing.
      if atEnd, filter == .lzip, try !handle.hasUsedSource() {
        throw ArchiveError.corrupt("the lzip stream continues after the end that was found")
      }
      return count
    } catch {
      throw Self.explained(error, filter)
    }
  }

  /// The filter was recognized before, so content that libarchive does not recognize is damaged.
  private static func explained(_ error: ArchiveError, _ filter: Filter) -> ArchiveError {
    guard error.code == .unrecognizedFormat else { return error }
    return .corrupt("the \(filter) stream is damaged at its beginning", call: error.call)
  }
}

extension Filter {
  /// The number by which libarchive knows the filter.
  var libArchiveCode: CInt {
    switch self {
    case .gzip: ARCHIVE_FILTER_GZIP
    case .bzip2: ARCHIVE_FILTER_BZIP2
    case .xz: ARCHIVE_FILTER_XZ
    case .lzma: ARCHIVE_FILTER_LZMA
    case .lzip: ARCHIVE_FILTER_LZIP
    case .zstd: ARCHIVE_FILTER_ZSTD
    case .lz4: ARCHIVE_FILTER_LZ4
    case .compress: ARCHIVE_FILTER_COMPRESS
    case .uu: ARCHIVE_FILTER_UU
    case .rpm: ARCHIVE_FILTER_RPM
    }
  }
}
