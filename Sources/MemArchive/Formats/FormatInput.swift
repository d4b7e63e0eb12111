internal import Libc

/// What a format's reader reads in order: headers as copies, content in blocks as large as the source gives them.
@safe final class FormatInput {
  private let source: any ByteSource
  /// Whether the end of the source is that of a pipe, whose writer may keep it open.
  private let isPipe: Bool
  private let cancellation: Cancellation
  private let block: UnsafeMutableRawBufferPointer
  /// For bytes that were given back.
  private let front: UnsafeMutableRawBufferPointer
  /// The next bytes.
  private var window = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// What follows them if they were given back.
  private var later = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  /// The number of bytes taken so far.
  private(set) var position: Int64 = 0
  private(set) var isAtEnd = false
  /// Whether nothing can be read after the last error: the source has failed or ended too early, or a reader is lost for good.
  var isExhausted = false

  /// Large enough to make system calls rare, small enough to stay in the second-level cache.
  private static let blockSize = 256 << 10
  /// The number of bytes that can be given back.
  private static let frontSize = 512
  /// Upper bound of what is looked at after the end of an archive in a pipe.
  private static let mostAfterEnd: Int64 = 1 << 20

  init(_ source: any ByteSource, isPipe: Bool, _ cancellation: Cancellation) {
    self.source = source
    self.isPipe = isPipe
    self.cancellation = cancellation
    unsafe block = .allocate(byteCount: Self.blockSize, alignment: 4096)
    unsafe front = .allocate(byteCount: Self.frontSize, alignment: 16)
  }

  deinit {
    unsafe block.deallocate()
    unsafe front.deallocate()
  }

  /// Makes sure that the window has bytes; false at the end.
  private func fill() throws(ArchiveError) -> Bool {
    if unsafe window.isEmpty, unsafe !later.isEmpty {
      unsafe (window, later) = (later, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    guard unsafe window.isEmpty, !isAtEnd else { return unsafe !window.isEmpty }
    do throws(ArchiveError) {
      try cancellation.check()
      if let lent = unsafe try source.lend() {
        unsafe window = lent
      } else {
        var span = unsafe block.mutableBytes
        let count = try source.read(into: &span)
        unsafe window = UnsafeRawBufferPointer(rebasing: block[..<count])
      }
    } catch {
      isExhausted = true
      throw error
    }
    isAtEnd = unsafe window.isEmpty
    return !isAtEnd
  }

  private func take(_ count: Int) -> UnsafeRawBufferPointer {
    let piece = unsafe UnsafeRawBufferPointer(rebasing: window[..<count])
    unsafe window = UnsafeRawBufferPointer(rebasing: window[count...])
    position += Int64(count)
    return unsafe piece
  }

  /// Replaces the array's content by the next `count` bytes, fewer only at the end.
  func read(into array: inout [UInt8], count: Int) throws(ArchiveError) {
    array.removeAll(keepingCapacity: true)
    while array.count < count, try fill() {
      unsafe array.append(contentsOf: take(min(count - array.count, window.count)))
    }
  }

  /// The next `count` bytes, fewer only at the end.
  func bytes(_ count: Int) throws(ArchiveError) -> [UInt8] {
    var bytes: [UInt8] = []
    try read(into: &bytes, count: count)
    return bytes
  }

  /// The next `count` bytes.
  func bytes(_ count: Int, inside part: String) throws(ArchiveError) -> [UInt8] {
    let bytes = try bytes(count)
    guard bytes.count == count else { throw truncated(inside: part) }
    return bytes
  }

  /// The error of an archive that ends too early, after which nothing is read.
  func truncated(_ text: String) -> ArchiveError {
    isExhausted = true
    return .truncated(text)
  }

  func truncated(inside part: String) -> ArchiveError { truncated("the archive ends inside \(part)") }

  /// The next bytes up to a line feed and with it: fewer at the end, and no more than `most`.
  func line(most: Int) throws(ArchiveError) -> [UInt8] {
    var line: [UInt8] = []
    while line.count < most, line.last != UInt8(ascii: "\n"), try fill() {
      let count = unsafe min(most - line.count, window.count)
      let found = unsafe memchr(window.baseAddress!, CInt(UInt8(ascii: "\n")), count)
      let length = unsafe found.map { unsafe UnsafeRawPointer($0) - window.baseAddress! + 1 } ?? count
      unsafe line.append(contentsOf: take(length))
    }
    return line
  }

  /// Gives back the last bytes taken, no more than a block of tar.
  func giveBack(_ bytes: [UInt8]) {
    precondition(bytes.count <= Self.frontSize, "a block at most is given back")
    if unsafe window.isEmpty { unsafe swap(&window, &later) }
    precondition(unsafe later.isEmpty, "one block is given back at a time")
    unsafe front.copyBytes(from: bytes)
    unsafe (window, later) = (UnsafeRawBufferPointer(rebasing: front[..<bytes.count]), window)
    position -= Int64(bytes.count)
  }

  /// Calls `body` with each block up to the position `end` and its offset from here.
  func forEachBlock(
    to end: Int64, inside part: String, _ body: (RawSpan, Int64) throws(ArchiveError) -> Void
  ) throws(ArchiveError) {
    let start = position
    while position < end, try fill() {
      let offset = position - start
      try body(unsafe take(Int(min(end - position, Int64(window.count)))).bytes, offset)
    }
    guard position == end else { throw truncated(inside: part) }
  }

  /// Proceeds to a position, if it is not passed.
  func skip(to end: Int64, inside part: String) throws(ArchiveError) {
    guard try skip(to: end) else { throw truncated(inside: part) }
  }

  /// Proceeds to a position; false if the source ends before it.
  func skip(to end: Int64) throws(ArchiveError) -> Bool {
    while position < end {
      if unsafe window.isEmpty, unsafe later.isEmpty, !isAtEnd {
        let step = try source.skip(end - position)
        position += step
        if step > 0 { continue }
      }
      guard try fill() else { return false }
      unsafe _ = take(Int(min(end - position, Int64(window.count))))
    }
    return true
  }

  /// Whether anything but zeros, with which writers fill up a record of a tape, follows the end of the archive. Of a pipe,
  /// whose writer may keep it open, only what is there already counts.
  func hasDataAfterEnd() throws(ArchiveError) -> Bool {
    let end = position
    while true {
      if unsafe window.isEmpty, unsafe later.isEmpty, isPipe {
        guard try source.waitForInput(milliseconds: 0), position - end < Self.mostAfterEnd else {
          return false
        }
      }
      guard try fill() else { return false }
      guard unsafe take(window.count).bytes.isZero else { return true }
    }
  }
}
