/// Visits the fields of a record in order, writing them or reading them in place: one list of fields serves both
/// directions, so none can be forgotten on one side. An encoder never throws.
protocol FieldCoder {
  mutating func number<Value: WireNumber>(_ value: inout Value) throws(Malformed)
  mutating func flag(_ value: inout Bool) throws(Malformed)
  mutating func text(_ value: inout String) throws(Malformed)
  mutating func choice<Value: CaseIterable & Equatable>(_ value: inout Value) throws(Malformed)
  /// - Parameter blank: The value that decoding starts from.
  mutating func optional<Value>(
    _ value: inout Value?, _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed)
  mutating func list<Value>(
    _ values: inout [Value], _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed)
}

extension FieldCoder {
  mutating func texts(_ values: inout [String]) throws(Malformed) {
    try list(&values, "") { coder, text throws(Malformed) in try coder.text(&text) }
  }

  mutating func number<Value: WireNumber>(_ value: inout Value?) throws(Malformed) {
    try optional(&value, 0) { coder, value throws(Malformed) in try coder.number(&value) }
  }

  mutating func text(_ value: inout String?) throws(Malformed) {
    try optional(&value, "") { coder, value throws(Malformed) in try coder.text(&value) }
  }

  /// A number as 64 bits.
  mutating func integer(_ value: inout Int) throws(Malformed) {
    var number = Int64(value)
    try self.number(&number)
    value = Int(number)
  }
}

extension BinaryEncoder: FieldCoder {
  mutating func number<Value: WireNumber>(_ value: inout Value) { put(value) }
  mutating func flag(_ value: inout Bool) { put(value) }
  mutating func text(_ value: inout String) { put(value) }
  mutating func choice<Value: CaseIterable & Equatable>(_ value: inout Value) { put(choice: value) }

  mutating func optional<Value>(
    _ value: inout Value?, _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed) {
    put(value != nil)
    guard var there = value else { return }
    try code(&self, &there)
  }

  mutating func list<Value>(
    _ values: inout [Value], _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed) {
    put(UInt32(clamping: values.count))
    for var value in values { try code(&self, &value) }
  }
}

extension BinaryDecoder: FieldCoder {
  mutating func number<Value: WireNumber>(_ value: inout Value) throws(Malformed) { value = try number() }
  mutating func flag(_ value: inout Bool) throws(Malformed) { value = try bool() }
  mutating func text(_ value: inout String) throws(Malformed) { value = try text() }
  mutating func choice<Value: CaseIterable & Equatable>(_ value: inout Value) throws(Malformed) {
    value = try choice()
  }

  mutating func optional<Value>(
    _ value: inout Value?, _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed) {
    guard try bool() else { return value = nil }
    var there = blank
    try code(&self, &there)
    value = there
  }

  mutating func list<Value>(
    _ values: inout [Value], _ blank: Value, _ code: (inout Self, inout Value) throws(Malformed) -> Void
  ) throws(Malformed) {
    values = try all { reader throws(Malformed) in
      var value = blank
      try code(&reader, &value)
      return value
    }
  }
}
