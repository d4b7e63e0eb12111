import MemArchive

/// Standard output and standard error for several threads, each of which says what it has to say whole, when it is done. Who
/// has more than may wait writes at once, while the others wait.
final class Floor: @unchecked Sendable {
  private let monitor = ConditionLock()
  // Used only inside `monitor.locked`.
  private var isTaken = false

  /// Bytes that each may have to say before it takes the floor.
  private static let mostWaiting = 1 << 20

  private func take() {
    monitor.locked {
      while isTaken { monitor.wait() }
      isTaken = true
    }
  }

  private func leave() {
    monitor.locked {
      isTaken = false
      monitor.notifyAll()
    }
  }

  /// One thread's.
  final class Seat: Listener, @unchecked Sendable {
    private let floor: Floor
    // Used by its thread alone.
    private var pieces: [JobQueue.Piece] = []
    private var size = 0
    private var hasFloor = false

    init(_ floor: Floor) { self.floor = floor }

    func add(_ piece: JobQueue.Piece) throws(ExitStatus) {
      pieces.append(piece)
      size += piece.size
      if hasFloor || size > Floor.mostWaiting { try write() }
    }

    func own(_: ExtractionContext) {}

    /// No progress bar is shown between what several threads say.
    var isShown: Bool { false }

    /// Says what is left, and lets others speak.
    func finish() throws(ExitStatus) {
      defer {
        if hasFloor { floor.leave() }
        hasFloor = false
      }
      if !pieces.isEmpty { try write() }
    }

    /// Forgets what is left.
    func discard() { (pieces, size) = ([], 0) }

    private func write() throws(ExitStatus) {
      if !hasFloor { floor.take() }
      hasFloor = true
      let said = pieces
      discard()
      let outcome = Transcript.$current.withValue(nil) {
        Result { () throws(ExitStatus) in
          for piece in said { try piece.write() }
          try Output.flush()
        }
      }
      try outcome.get()
    }
  }
}
