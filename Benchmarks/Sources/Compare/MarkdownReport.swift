/// The report for people: the ratios at a glance, then the times.
struct MarkdownReport: CustomStringConvertible {
  private let report: Report

  init(_ report: Report) { self.report = report }

  var description: String {
    var text = "# Ways to turn an archive into open files\n\n\(conditions.joined(separator: "; ")).\n"
    for lifetime in Way.Lifetime.allCases { text += overview(lifetime) }
    for input in report.inputs { text += details(input) }
    return text
  }

  /// What the numbers depend on.
  private var conditions: [String] {
    let machine = report.machine
    var conditions = [machine.kernel, "\(machine.processor), \(machine.cores) cores"] + machine.libraries
    conditions += machine.fileSystems.sorted { $0.key < $1.key }.map { "\($0.key) is \($0.value)" }
    conditions.append("huge pages for memory files: \(machine.hugePages)")
    if machine.freeMemoryIsReturned {
      conditions.append("a virtual machine that returns free memory to its host")
    }
    if let percent = report.bystandersPercent {
      conditions.append("others took \(Self.decimal(percent, places: 1)) % of the processors' time meanwhile")
    }
    return conditions
  }

  /// A row an archive, a column a way.
  private func overview(_ lifetime: Way.Lifetime) -> String {
    let ways = Way.all(lifetime) + (lifetime == .kept ? [.readingAlone] : [])
    var text = """

      ## Files \(lifetime.rawValue)

      Until all is extracted and closed; other ways as a multiple of `.automatic`'s time: above 1.00 is slower.

      | archive | files | MiB | \(ways.map { "\($0.maker)" }.joined(separator: " | ")) |
      |\(String(repeating: "---|", count: 3 + ways.count))

      """
    for input in report.inputs {
      let cells = ways.map { way in
        guard input[way]?.failure == nil else { return "failed" }
        return way == way.baseline ? time(input[way]?.released?.median) : ratio(input[way]?.released)
      }
      text +=
        "| \(input.name) | \(input.files) | \(mebibytes(input.bytes)) | \(cells.joined(separator: " | ")) |\n"
    }
    return text
  }

  /// A row a way.
  private func details(_ input: Report.Archive) -> String {
    var text = """

      ## \(input.name)

      \(input.files) files, \(mebibytes(input.bytes)) MiB, \(input.rounds) rounds; median (min … max) in milliseconds.

      | way | files | extracted | ratio | and closed | ratio | computed | ratio |
      |---|---|---|---|---|---|---|---|

      """
    for result in input.results {
      let way = result.way
      if let failure = result.failure {
        text += "| \(way.maker) | \(way.lifetime.rawValue) | failed: \(failure) | – | – | – | – | – |\n"
        continue
      }
      text += "| \(way.maker) | \(way.maker == .nobody ? "none" : way.lifetime.rawValue) "
      text += "| \(times(result.extracted)) | \(ratio(result.extracted)) "
      text += "| \(times(result.released)) | \(ratio(result.released)) "
      text += "| \(times(result.computed)) | \(ratio(result.computed)) |\n"
    }
    return text
  }

  private func ratio(_ times: Report.Times?) -> String {
    times?.ratio.map { Self.decimal($0, places: 2) } ?? "–"
  }

  private func times(_ times: Report.Times?) -> String {
    guard let times else { return "–" }
    func milliseconds(_ count: Int) -> String {
      Self.decimal(Double(count) / 1000, places: count < 10_000 ? 2 : 1)
    }
    return "\(milliseconds(times.median)) (\(milliseconds(times.min)) … \(milliseconds(times.max)))"
  }

  private func time(_ microseconds: Int?) -> String {
    microseconds.map { Self.decimal(Double($0) / 1000, places: $0 < 10_000 ? 2 : 1) + " ms" } ?? "–"
  }

  private func mebibytes(_ bytes: Int) -> String { Self.decimal(Double(bytes) / 1_048_576, places: 1) }

  /// Fixed places, without Foundation's locale.
  private static func decimal(_ value: Double, places: Int) -> String {
    let scale = places == 1 ? 10 : 100
    let scaled = Int((value * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count) + fraction
  }
}
