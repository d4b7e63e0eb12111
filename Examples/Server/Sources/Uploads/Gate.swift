/// Admits a bounded number of tasks at a time; the others wait in line, and leave it when they are cancelled.
///
/// Each extraction has a thread, four or five descriptors and two processes: a bound keeps a server within its limits, and its
/// other requests quick.
public actor Gate {
  private var free: Int
  private var nextTicket = 0
  private var line: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []

  /// A gate that admits `count` at a time.
  public init(admitting count: Int) { free = count }

  /// Runs `body` once there is room.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits; otherwise what `body` throws.
  public nonisolated func run<Result: Sendable>(
    _ body: @Sendable () async throws -> Result
  ) async throws -> Result {
    try await enter()
    do {
      let result = try await body()
      await leave()
      return result
    } catch {
      await leave()
      throw error
    }
  }

  private func enter() async throws {
    try Task.checkCancellation()
    if free > 0 {
      free -= 1
      return
    }
    nextTicket += 1
    let ticket = nextTicket
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        // The handler may have run already.
        guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        line.append((ticket, continuation))
      }
    } onCancel: {
      Task<Void, Never> { await self.abandon(ticket) }
    }
  }

  private func leave() {
    if line.isEmpty { free += 1 } else { line.removeFirst().continuation.resume() }
  }

  private func abandon(_ ticket: Int) {
    guard let index = line.firstIndex(where: { $0.ticket == ticket }) else { return }
    line.remove(at: index).continuation.resume(throwing: CancellationError())
  }
}
