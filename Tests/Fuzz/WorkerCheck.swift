import MemArchive

/// Any bytes are a worker's message or an error; a decoded message encodes and decodes to itself; and how a
/// packet's bytes are cut into pieces makes no difference.
enum WorkerCheck {
  static func run(_ input: [UInt8]) {
    let again = workerMessageSaidAgain(input)
    guard isWorkerMessage(input) == (again != nil) else { report("the same bytes are a message and none") }
    if let again, workerMessageSaidAgain(again) != again { report("what was said again says something else") }
    let whole = workerMessages(input, inPiecesOf: input.count)
    for size in [1, 7] where input.count <= 4096 {
      guard workerMessages(input, inPiecesOf: size) == whole else {
        report("pieces of \(size) bytes say something else")
      }
    }
  }
}
