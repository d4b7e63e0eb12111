// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Testing

@testable import MemArchive
@testable import MemArchiveCommand

struct ProgressBarTests {
  private static let known = ExtractionOptions.Progress(
    bytesRead: 120 << 20, bytesTotal: 280 << 20, entries: 7, entry: "e")
  private static let unknown = ExtractionOptions.Progress(
    bytesRead: 120 << 20, bytesTotal: nil, entries: 12_345, entry: "e")

  @Test(
    arguments: [
      (80, "[========            ]  42 %  120.0 MiB of 280.0 MiB  60.0 MiB/s  0:03 left"),
      (60, "[========            ]  42 %  60.0 MiB/s  0:03 left"),
      (40, "[========            ]  42 %  0:03 left"),
      (30, "[====      ]  42 %  0:03 left"), (20, " 42 %  0:03 left"), (10, " 42 %"),
    ])
  func `It says what there is room for`(columns: Int, line: String) {
    #expect(ProgressBar.line(Self.known, elapsed: 2, columns: columns) == line)
  }

  @Test func `It never takes the last column, from which a terminal wraps`() {
    for columns in 1...200 {
      for progress in [Self.known, Self.unknown] {
        let line = ProgressBar.line(progress, elapsed: 2, columns: columns)
        #expect(line.count < columns)
        #expect(columns < 20 || !line.isEmpty)
      }
    }
  }
}
#endif
