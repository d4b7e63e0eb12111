import CTransfer
import HTTPRanges
import Libc
import MemArchive
import Synchronization

/// Requests by libcurl, which is loaded for the first of them.
@safe final class CurlTransport: RangeTransport, @unchecked Sendable {
  private let address: FileAddress
  /// Made for the first request; its user waits while another one uses it.
  private let transfer = unsafe Mutex<OpaquePointer?>(nil)

  init(_ address: FileAddress) { self.address = address }

  deinit { unsafe transfer.withLock { if let transfer = unsafe $0 { unsafe ctransfer_close(transfer) } } }

  func get(_ fields: [(name: String, value: String)], most: Int) throws -> RangeAnswer {
    let outcome = unsafe transfer.withLock { transfer -> Result<RangeAnswer, any Error> in
      if unsafe transfer == nil { unsafe transfer = ctransfer_open() }
      guard let transfer = unsafe transfer else { return .failure(Self.unavailable) }
      return Result { try unsafe get(fields, most, transfer) }
    }
    return try outcome.get()
  }

  private func get(
    _ fields: [(name: String, value: String)], _ most: Int, _ transfer: OpaquePointer
  ) throws -> RangeAnswer {
    let texts = fields.map { "\($0.name): \($0.value)" }
    var lines: [UnsafePointer<CChar>?] = unsafe texts.map { unsafe UnsafePointer(strdup($0)) } + [nil]
    defer { unsafe lines.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
    var body = [UInt8](repeating: 0, count: most)
    var answer = unsafe ctransfer_answer()
    let error = unsafe body.withUnsafeMutableBytes { body in
      unsafe ctransfer_get(transfer, address.text, &lines, body.baseAddress, body.count, &answer)
    }
    guard error == 0 else {
      throw Self.passing.contains(error)
        ? UnansweredRequest(Self.failure, isSilence: error == Self.silence)
        : ArchiveError.sourceFailed(Self.failure)
    }
    guard unsafe answer.is_longer == 0 else {
      throw ArchiveError.sourceFailed("the server sent more than the \(most) bytes that were asked for")
    }
    unsafe body.removeSubrange(answer.count...)
    let header = unsafe String(
      decoding: UnsafeRawBufferPointer(start: answer.header, count: answer.header_count), as: UTF8.self)
    return unsafe RangeAnswer(status: answer.status, fields: Self.fields(header), body: body)
  }

  /// The fields of a header, which begins with a line of the status.
  static func fields(_ header: String) -> [String: String] {
    var fields: [String: String] = [:]
    for line in header.utf8.split(whereSeparator: { $0 == 13 || $0 == 10 }).dropFirst() {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let value = line[line.index(after: colon)...].drop { $0 == 32 || $0 == 9 }
      let end = value.lastIndex { $0 != 32 && $0 != 9 }.map { value.index(after: $0) } ?? value.startIndex
      fields[String(decoding: line[..<colon], as: UTF8.self).lowercased()] =
        String(decoding: value[..<end], as: UTF8.self)
    }
    return fields
  }

  /// libcurl's errors that another attempt may not meet: no connection (7), an end too early (18), silence (28), no answer (52),
  /// and what a network does to sending (55), receiving (56) and streams of HTTP/2 (16, 92).
  private static let passing: Set<CInt> = [7, 16, 18, silence, 52, 55, 56, 92]
  private static let silence: CInt = 28

  private static var failure: String { unsafe String(cString: ctransfer_failure()) }

  private static var unavailable: ArchiveError {
    ArchiveError(
      .sourceFailed, "libcurl, by which addresses are read, cannot be loaded: \(failure)", call: "dlopen",
      advice: "Install it (on Debian: libcurl4), or read the archive from a pipe.")
  }
}
