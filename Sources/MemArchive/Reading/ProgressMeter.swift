/// Tells a caller how far an extraction is, at most ten times a second.
struct ProgressMeter {
  private let report: (@Sendable (ExtractionProgress) -> Void)?
  private var lastReport: ContinuousClock.Instant?
  private var entries = 0
  private var entry = ""

  init(_ report: (@Sendable (ExtractionProgress) -> Void)?) { self.report = report }

  /// A new entry begins.
  mutating func enter(_ name: String, _ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    entries += 1
    entry = name
    tick(source())
  }

  /// A block was read.
  mutating func tick(_ source: @autoclosure () -> SourceProgress) {
    guard report != nil else { return }
    let now = ContinuousClock.now
    if let lastReport, now - lastReport < .milliseconds(100) { return }
    lastReport = now
    tell(source())
  }

  /// All is read: the last report comes whatever the time.
  func finish(_ source: @autoclosure () -> SourceProgress) {
    if report != nil { tell(source()) }
  }

  private func tell(_ source: SourceProgress) {
    report?(
      ExtractionProgress(bytesRead: source.read, bytesTotal: source.total, entries: entries, entry: entry))
  }
}
