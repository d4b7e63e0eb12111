import CTrying
import Glibc

/// What two threads want at once, and is made when the first of them asks.
private enum Contended {
  static let value: Int = {
    usleep(200_000)
    return 1
  }()
}

/// Has two threads of each worker want it, before it is locked in.
func prepareContention() { ctrying_before_report { contend() } }

/// Ends the process unless both threads get it.
private func contend() {
  var thread = pthread_t()
  let wait: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { _ in
    usleep(100_000)
    if Contended.value != 1 { _exit(1) }
    return nil
  }
  unsafe pthread_create(&thread, nil, wait, nil)
  if Contended.value != 1 { _exit(1) }
  pthread_join(thread, nil)
}
