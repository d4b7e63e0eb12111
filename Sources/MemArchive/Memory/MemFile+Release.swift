extension MemFile {
  /// Lets go of many files on several threads: the kernel takes 3 to 6 µs to close one and free its memory, and ends
  /// them one after another where a process leaves that to its exit.
  package static func release(_ files: consuming [MemFile], threads: Int = SystemCalls.processorCount()) {
    let count = files.count
    let threads = min(threads, count / 1024)
    guard threads > 1 else { return }
    let parts = (1..<threads).map { part in
      Part(files[(count * part / threads)..<(count * (part + 1) / threads)])
    }
    files.removeSubrange((count / threads)...)
    var group = ThreadGroup()
    defer { group.join() }
    // A part that no thread can be had for goes with this call's end.
    for part in parts { try? group.start { part.release() } }
    files = []
  }

  private final class Part: @unchecked Sendable {
    // Touched by its thread alone.
    private var files: [MemFile]
    init(_ files: ArraySlice<MemFile>) { self.files = Array(files) }
    func release() { files = [] }
  }
}
