typealias WireNumber = FixedWidthInteger & BitwiseCopyable

/// The error of decoding malformed bytes.
struct Malformed: Error {}

/// Writes numbers, texts and lists one after another, little-endian.
struct BinaryEncoder {
  private(set) var bytes: [UInt8] = []
  /// The details written last, which are not repeated.
  var details: ArchiveEntry.Shared<ArchiveEntry.Details>?

  mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  mutating func put<Value: FixedWidthInteger>(_ value: Value) {
    var value = value.littleEndian
    unsafe withUnsafeBytes(of: &value) { unsafe bytes.append(contentsOf: $0) }
  }

  /// A structure of numbers without padding, as it is in memory, for a process of the same build.
  mutating func put<Value: BitwiseCopyable>(piece: Value) {
    unsafe withUnsafeBytes(of: piece) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }

  mutating func put(_ value: [UInt8]) {
    put(UInt32(clamping: value.count))
    bytes.append(contentsOf: value)
  }

  mutating func put(_ value: String) {
    var value = value
    value.withUTF8 { text in
      put(UInt32(clamping: text.count))
      unsafe bytes.append(contentsOf: text)
    }
  }

  /// Whether there is a value, and then the value.
  mutating func put<Value>(_ value: Value?, _ write: (inout BinaryEncoder, Value) -> Void) {
    put(value != nil)
    if let value { write(&self, value) }
  }

  mutating func put<Value: FixedWidthInteger>(optional value: Value?) { put(value) { $0.put($1) } }
  mutating func put(optional value: String?) { put(value) { $0.put($1) } }

  mutating func put<Value>(all values: [Value], _ write: (inout BinaryEncoder, Value) -> Void) {
    put(UInt32(clamping: values.count))
    for value in values { write(&self, value) }
  }

  /// The index of an enumeration's case; the decoder is a program of the same version.
  mutating func put<Value: CaseIterable & Equatable>(choice value: Value) {
    put(UInt8(clamping: Array(Value.allCases).firstIndex(of: value) ?? 0))
  }

  /// Appends what `body` writes, with its length in front.
  mutating func record(_ body: (inout BinaryEncoder) -> Void) {
    let start = bytes.count
    put(UInt32(0))
    body(&self)
    let count = UInt32(clamping: bytes.count - start - 4)
    for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: count >> (8 * UInt32(index))) }
  }
}

/// Reads what a `BinaryEncoder` wrote, or anything else: every function either returns or throws `Malformed`.
struct BinaryDecoder {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int
  /// The details read last, by this decoder or the previous one.
  var details: ArchiveEntry.Shared<ArchiveEntry.Details>?

  init(_ bytes: [UInt8], _ range: Range<Int>? = nil) {
    self.bytes = bytes
    position = max(0, min(range?.lowerBound ?? 0, bytes.count))
    end = max(position, min(range?.upperBound ?? bytes.count, bytes.count))
  }

  var rest: Int { end - position }

  private mutating func take(_ count: Int) throws(Malformed) -> Int {
    guard count >= 0, count <= rest else { throw Malformed() }
    defer { position += count }
    return position
  }

  mutating func number<Value: WireNumber>(_: Value.Type = Value.self) throws(Malformed) -> Value {
    let start = try take(MemoryLayout<Value>.size)
    return unsafe Value(
      littleEndian: bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Value.self))
  }

  /// A structure of numbers without padding, for which any bytes are valid.
  mutating func piece<Value: BitwiseCopyable>(_: Value.Type) throws(Malformed) -> Value {
    let start = try take(MemoryLayout<Value>.size)
    return unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: start, as: Value.self)
  }

  mutating func bool() throws(Malformed) -> Bool {
    switch try number(UInt8.self) {
    case 0: false
    case 1: true
    default: throw Malformed()
    }
  }

  mutating func byteArray() throws(Malformed) -> [UInt8] {
    let count = try Int(number(UInt32.self))
    let start = try take(count)
    return Array(bytes[start..<start + count])
  }

  mutating func text() throws(Malformed) -> String {
    let count = try Int(number(UInt32.self))
    let start = try take(count)
    guard let text = try? UTF8Span(validating: bytes.span.extracting(start..<start + count)) else {
      throw Malformed()
    }
    return String(copying: text)
  }

  mutating func optional<Value>(
    _ read: (inout BinaryDecoder) throws(Malformed) -> Value
  ) throws(Malformed) -> Value? {
    try bool() ? try read(&self) : nil
  }

  mutating func optionalText() throws(Malformed) -> String? {
    try optional { reader throws(Malformed) in try reader.text() }
  }

  mutating func optionalNumber<Value: WireNumber>(_: Value.Type = Value.self) throws(Malformed)
    -> Value?
  {
    try optional { reader throws(Malformed) in try reader.number(Value.self) }
  }

  mutating func choice<Value: CaseIterable>(_: Value.Type = Value.self) throws(Malformed) -> Value {
    let values = Array(Value.allCases)
    let index = Int(try number(UInt8.self))
    guard index < values.count else { throw Malformed() }
    return values[index]
  }

  /// A list; takes memory only for elements that are there.
  mutating func all<Value>(
    _ read: (inout BinaryDecoder) throws(Malformed) -> Value
  ) throws(Malformed) -> [Value] {
    let count = try Int(number(UInt32.self))
    // Each element takes at least one byte.
    guard count <= rest else { throw Malformed() }
    var values: [Value] = []
    for _ in 0..<count { values.append(try read(&self)) }
    return values
  }

  /// Throws unless everything was read.
  func finish() throws(Malformed) { if rest != 0 { throw Malformed() } }
}

/// Splits bytes that arrive in pieces into records, each with its length in front.
struct RecordBuffer {
  /// Upper bound of a record's length, in bytes.
  let largest: Int
  private var bytes: [UInt8] = []
  private var position = 0

  /// Room for an entry with the names and attributes that the limits allow, and at least for an error that says which limit
  /// was exceeded.
  init(_ limits: ExtractionLimits = ExtractionLimits()) {
    var size = 1 << 20
    for part in [limits.nameBytes, limits.nameBytes, limits.nameBytes, limits.attributeBytes] {
      let (sum, overflow) = size.addingReportingOverflow(max(0, part))
      size = overflow ? .max : sum
    }
    largest = max(8 << 20, size)
  }

  mutating func append(_ piece: ArraySlice<UInt8>) {
    bytes.removeSubrange(..<position)
    position = 0
    bytes += piece
  }

  /// Whether nothing is left, not even part of a record.
  var isEmpty: Bool { position == bytes.count }

  /// The next record; nil if it is incomplete.
  mutating func next() throws(Malformed) -> BinaryDecoder? {
    var reader = BinaryDecoder(bytes, position..<bytes.count)
    guard reader.rest >= 4 else { return nil }
    let count = try Int(reader.number(UInt32.self))
    guard count <= largest else { throw Malformed() }
    guard count <= reader.rest else { return nil }
    let start = position + 4
    position = start + count
    return BinaryDecoder(bytes, start..<start + count)
  }
}
