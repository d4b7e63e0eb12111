/// Elements with consecutive numbers, appended in order and removed in any order. The room of elements removed from the
/// front is reused.
struct PositionQueue<Element> {
  private var elements: [Element?] = []
  /// No element before this index is left.
  private var head = 0
  /// The number of `elements[0]`.
  private var start = 0

  /// Gives the next number to an element.
  mutating func append(_ element: Element) { elements.append(element) }

  /// The element with this number; nil if there is none. Setting a missing element has no effect.
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

  @discardableResult mutating func remove(_ number: Int) -> Element? {
    guard isIn(number) else { return nil }
    let element = elements[number - start].take()
    if number - start == head { advance() }
    return element
  }

  private func isIn(_ number: Int) -> Bool { number >= start && number - start < elements.count }

  private mutating func advance() {
    while head < elements.count, elements[head] == nil { head += 1 }
    // At least half of them, so that each element is moved at most once.
    guard head == elements.count || head >= max(1024, elements.count / 2) else { return }
    elements.removeFirst(head)
    start += head
    head = 0
  }
}
