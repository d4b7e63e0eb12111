#if Observability
public import MemArchive
public import Metrics

/// Counts extractions and measures them, by swift-metrics.
///
/// | metric | kind | dimensions |
/// |---|---|---|
/// | `memarchive.extractions` | counter | `operation`; `code`: the `ArchiveError.Code`, or `ok` |
/// | `memarchive.duration` | timer | `operation` |
/// | `memarchive.entries` | counter | `operation` |
/// | `memarchive.bytes` | counter, of content | `operation` |
public struct MetricsObserver: ExtractionObserver {
  private let factory: any MetricsFactory

  /// - Parameter factory: By default what the process has bootstrapped.
  public init(factory: any MetricsFactory = MetricsSystem.factory) { self.factory = factory }

  /// See `ExtractionObserver`.
  public func extractionEnded(_ report: ExtractionReport) {
    let operation = ("operation", report.operation.rawValue)
    let code = ("code", report.error.map { "\($0.code)" } ?? "ok")
    Counter(label: "memarchive.extractions", dimensions: [operation, code], factory: factory).increment()
    Counter(label: "memarchive.entries", dimensions: [operation], factory: factory).increment(
      by: report.entries)
    Counter(label: "memarchive.bytes", dimensions: [operation], factory: factory).increment(by: report.bytes)
    Timer(label: "memarchive.duration", dimensions: [operation], factory: factory).record(
      duration: report.duration)
  }
}
#endif
