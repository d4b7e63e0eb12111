#if Observability
public import Logging
public import MemArchive

/// Writes one line to a logger for each extraction, by swift-log:
/// `ExtractionOptions { $0.observer = LogObserver(Logger(label: "archives")) }`.
///
/// Its metadata are `operation`, `archive`, `milliseconds`, `entries`, `bytes`, `heldBytes`, and after an error `code` and `error`, where no
/// character of a hostile name controls a terminal.
public struct LogObserver: ExtractionObserver {
  private let logger: Logger
  private let level: Logger.Level
  private let errorLevel: Logger.Level

  /// - Parameters:
  ///   - level: Of extractions that have succeeded.
  ///   - errorLevel: Of those that have thrown; an archive that was refused is no error of the program's own.
  public init(_ logger: Logger, level: Logger.Level = .debug, errorLevel: Logger.Level = .notice) {
    (self.logger, self.level, self.errorLevel) = (logger, level, errorLevel)
  }

  /// See `ExtractionObserver`.
  public func extractionEnded(_ report: ExtractionReport) {
    var metadata: Logger.Metadata = [
      "operation": "\(report.operation)", "archive": "\(report.archive)",
      "milliseconds": "\(report.duration / .milliseconds(1))", "entries": "\(report.entries)",
      "bytes": "\(report.bytes)", "heldBytes": "\(report.heldBytes)",
    ]
    if let error = report.error {
      metadata["code"] = "\(error.code)"
      metadata["error"] = "\(error)"
    }
    logger.log(
      level: report.error == nil ? level : errorLevel,
      report.error == nil ? "archive read" : "archive not read", metadata: metadata)
  }
}
#endif
