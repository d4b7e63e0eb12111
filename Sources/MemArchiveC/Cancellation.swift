// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

internal import CMemArchive
internal import MemArchive
internal import Synchronization

/// A token that stops all that runs with it.
final class CancellationHandle: Handle, Sendable {
  private struct State {
    var isCancelled = false
    var running: [ObjectIdentifier: Cancellation] = [:]
  }

  private let state = Mutex(State())

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      for running in state.running.values { running.cancel() }
    }
  }

  func add(_ cancellation: Cancellation) {
    state.withLock { state in
      state.running[ObjectIdentifier(cancellation)] = cancellation
      if state.isCancelled { cancellation.cancel() }
    }
  }

  func remove(_ cancellation: Cancellation) {
    state.withLock { $0.running[ObjectIdentifier(cancellation)] = nil }
  }
}

@c(memarchive_cancellation_new)
public func cancellationNew() -> OpaquePointer? { unsafe CancellationHandle().passed() }

@c(memarchive_cancellation_cancel)
public func cancellationCancel(_ cancellation: OpaquePointer?) {
  answer { unsafe (try? CancellationHandle.of(cancellation))?.cancel() }
}

@c(memarchive_cancellation_is_cancelled)
public func cancellationIsCancelled(_ cancellation: OpaquePointer?) -> Int32 {
  answer { unsafe (try? CancellationHandle.of(cancellation))?.isCancelled == true ? 1 : 0 }
}

@c(memarchive_cancellation_free)
public func cancellationFree(_ cancellation: OpaquePointer?) { unsafe CancellationHandle.free(cancellation) }
