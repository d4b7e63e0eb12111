internal import CLibArchive

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
