/// Asks now and then whether an extraction may go on, in loops whose length an archive decides.
struct Pace {
  private let cancellation: Cancellation
  private var steps = 0

  init(_ cancellation: Cancellation) { self.cancellation = cancellation }

  /// To be called once for each step: some ten nanoseconds of work and more.
  mutating func step() throws(ArchiveError) {
    if steps.isMultiple(of: 256) { try cancellation.check() }
    steps &+= 1
  }
}
