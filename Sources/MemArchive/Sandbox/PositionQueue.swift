/// Elements by their numbers, which are consecutive: appended in order and removed in any. The room of those that were removed
/// in front goes to those that follow.
struct PositionQueue<Element> {
  private var elements: [Element?] = []
  /// The index in `elements` of the first that may be there.
  private var head = 0
  /// The number of the first of `elements`.
  private var start = 0

  /// Gives the next number to an element.
  mutating func append(_ element: Element) { elements.append(element) }

  /// The element of this number; nil where there is none. One that is not there cannot be set.
  subscript(number: Int) -> Element? {
    get { isIn(number) ? elements[number - start] : nil }
    _modify {
      if isIn(number) {
        yield &elements[number - start]
      } else {
        var none: Element?
        yield &none
      }
    }
  }

  mutating func remove(_ number: Int) {
    guard isIn(number) else { return }
    elements[number - start] = nil
    if number - start == head { advance() }
  }

  private func isIn(_ number: Int) -> Bool { number >= start && number - start < elements.count }

  private mutating func advance() {
    while head < elements.count, elements[head] == nil { head += 1 }
    // Half of them at least, so that each is moved once at most.
    guard head == elements.count || head >= max(1024, elements.count / 2) else { return }
    elements.removeFirst(head)
    start += head
    head = 0
  }
}
