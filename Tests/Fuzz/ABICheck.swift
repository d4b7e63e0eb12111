import CMemArchive
import MemArchiveC

/// Any input, read as C would have it read: each function keeps what memarchive.h promises, and what it takes is given back.
enum ABICheck {
  private typealias ErrorPlace = UnsafeMutablePointer<UnsafeMutablePointer<memarchive_error>?>

  static func run(_ input: [UInt8]) {
    // The end of the input chooses, so that archives are seeds as they are.
    let choices = Array(input.suffix(10) + Array(repeating: 0, count: max(0, 10 - input.count)))
    var options = unsafe options(choices)
    var archive: OpaquePointer?
    guard unsafe succeeds({ unsafe memarchive_open_bytes(input, input.count, &options, &archive, $0) }) else {
      guard unsafe archive == nil else { report("an archive that could not be opened is handed out") }
      return
    }
    unsafe readAll(archive, name: input.suffix(20))
    unsafe readInOrder(archive, stops: choices[0] % 8 == 7)
    unsafe memarchive_archive_free(archive)
  }

  /// Any choices, but neither pointers nor more than a fuzzer may take.
  private static func options(_ choices: [UInt8]) -> memarchive_options {
    var options = unsafe memarchive_options()
    unsafe memarchive_options_init(&options, MemoryLayout<memarchive_options>.stride)
    // One in 16 has values that make no sense.
    let isOdd = choices[1] % 16 == 15
    func choice(_ index: Int, of count: Int32) -> Int32 {
      isOdd ? Int32(Int8(bitPattern: choices[index])) : Int32(choices[index]) % count
    }
    unsafe options.sandbox = memarchive_sandbox(MEMARCHIVE_SANDBOX_OFF)
    unsafe options.storage = choice(2, of: 3)
    unsafe options.duplicates = choice(3, of: 3)
    unsafe options.nested = choice(4, of: 2)
    unsafe options.keep_going = choice(5, of: 2)
    unsafe options.reject_broken_links = choice(6, of: 2)
    unsafe options.reject_insecure_names = choice(7, of: 2)
    unsafe options.allow_overlapping = choice(8, of: 2)
    unsafe options.mode = isOdd ? UInt32(choices[9]) << 8 : 0
    unsafe options.parallelism = 1
    unsafe options.limit_total_bytes = 1 << 22
    unsafe options.limit_held_bytes = 1 << 22
    unsafe options.limit_entries = 2000
    return unsafe options
  }

  /// Whether a call succeeds; an error is whole, and there is one exactly if it does not.
  private static func succeeds(_ call: (ErrorPlace) -> memarchive_code) -> Bool {
    var error: UnsafeMutablePointer<memarchive_error>?
    let code = unsafe call(&error)
    defer { unsafe memarchive_error_free(error) }
    guard let error = unsafe error else {
      guard code == MEMARCHIVE_OK else { report("code \(code) without an error") }
      return true
    }
    guard unsafe error.pointee.code == code, code != MEMARCHIVE_OK, code != MEMARCHIVE_UNKNOWN,
      unsafe !String(cString: error.pointee.message).isEmpty,
      unsafe !String(cString: error.pointee.message).contains("\n")
    else { report("code \(code) has another error") }
    return false
  }

  private static func check(_ text: memarchive_text) {
    guard let data = unsafe text.data else { return }
    guard unsafe data[text.length] == 0 else { report("a text does not end") }
  }

  private static func check(_ entry: memarchive_entry) {
    unsafe [entry.name, entry.raw_name, entry.link, entry.user, entry.group, entry.comment].forEach {
      unsafe check($0)
    }
    guard unsafe entry.name.data != nil, unsafe entry.kind >= 0, unsafe entry.size >= -1,
      unsafe entry.mode >= -1
    else { report("an entry has a field out of range") }
  }

  private static func check(_ listing: memarchive_listing) {
    for index in 0..<(unsafe listing.entry_count) { unsafe check(listing.entries[index]!.pointee) }
    for index in 0..<(unsafe listing.warning_count) { unsafe check(listing.warnings[index]!.pointee.entry) }
    for index in 0..<(unsafe listing.error_count) { unsafe check(listing.errors[index]!.pointee.entry) }
  }

  private static func check(_ file: OpaquePointer?) {
    var (bytes, size, descriptor) = unsafe (nil as UnsafeRawPointer?, 0, -1 as Int32)
    guard unsafe succeeds({ unsafe memarchive_file_bytes(file, &bytes, &size, $0) }), unsafe bytes != nil,
      unsafe Int64(size) == memarchive_file_size(file)
    else { report("a file has no content, or content of another size") }
    _ = unsafe succeeds { unsafe memarchive_file_descriptor(file, &descriptor, $0) }
    unsafe check(memarchive_file_name(file))
  }

  private static func readAll(_ archive: OpaquePointer?, name: ArraySlice<UInt8>) {
    var listing: UnsafeMutablePointer<memarchive_listing>?
    if unsafe succeeds({ unsafe memarchive_list(archive, nil, &listing, $0) }) {
      unsafe check(listing!.pointee)
    }
    unsafe memarchive_listing_free(listing)

    var files: OpaquePointer?
    guard unsafe succeeds({ unsafe memarchive_extract(archive, nil, &files, $0) }) else { return }
    unsafe check(memarchive_files_listing(files).pointee)
    for index in 0..<(unsafe memarchive_files_count(files)) {
      let file = unsafe memarchive_files_at(files, index)
      unsafe check(file)
      let name = unsafe memarchive_file_name(file)
      guard unsafe memarchive_files_find(files, name.data, name.length) != nil else {
        report("a file is not found under its name")
      }
    }
    let bytes = name.map { CChar(bitPattern: $0) }
    _ = unsafe memarchive_files_find(files, bytes, bytes.count)
    unsafe memarchive_files_free(files)
  }

  private static func readInOrder(_ archive: OpaquePointer?, stops: Bool) {
    var stream: OpaquePointer?
    guard unsafe succeeds({ unsafe memarchive_stream_new(archive, &stream, $0) }) else { return }
    var stops = stops
    for count in 0... {
      var entry: UnsafePointer<memarchive_entry>?
      guard unsafe succeeds({ unsafe memarchive_stream_next(stream, &entry, $0) }) else { continue }
      guard let entry = unsafe entry else { break }
      unsafe check(entry.pointee)
      if count % 2 == 0 {
        var file: OpaquePointer?
        if unsafe succeeds({ unsafe memarchive_stream_extract(stream, &file, $0) }) { unsafe check(file) }
        unsafe memarchive_file_free(file)
      } else {
        var size: Int64 = 0
        _ = unsafe succeeds {
          unsafe memarchive_stream_blocks(
            stream, { stops, _, _, _ in unsafe stops!.load(as: Bool.self) ? 1 : 0 }, &stops, &size, $0)
        }
      }
    }
    unsafe check(memarchive_stream_listing(stream).pointee)
    unsafe memarchive_stream_free(stream)
  }
}
