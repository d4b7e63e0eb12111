import ArgumentParser
import Glibc

/// Times every way of turning archives into open files, in one process and with one reader above them all.
@main
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare MemArchive's ways of filling memory with temporary files.",
    discussion: """
      Each input is read by each way in turn, once to check every byte and to warm up, then once a round; the order \
      changes from round to round. The tables go to standard output as Markdown, what is going on to standard \
      error.
      """)

  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp("An archive to read. May be repeated.", valueName: "file"))
  var input: [String] = []

  @Option(name: .long, help: "Timed rounds; archives below 1 MiB get ten times as many.")
  var rounds = 5

  @Option(name: .long, help: ArgumentHelp("Also write all numbers to this file, as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard !input.isEmpty else { throw ValidationError("Give at least one --input.") }
    guard rounds > 0 else { throw ValidationError("--rounds must be at least 1.") }
  }

  func run() throws {
    DescriptorLimit.raise()
    var report = Report()
    let bystanders = Bystanders()
    for path in input {
      let contest = try Contest(Input(path: path))
      note("\(contest.input.name): \(contest.input.files.count) files")
      report.inputs.append(contest.run(rounds: rounds))
    }
    report.bystandersPercent = bystanders.percent
    print(MarkdownReport(report))
    if let json { try report.write(to: json) }
  }

  private func note(_ text: String) {
    // Swift takes the variable `stderr` for shared mutable state.
    let line = Array((text + "\n").utf8)
    unsafe _ = Glibc.write(STDERR_FILENO, line, line.count)
  }
}
