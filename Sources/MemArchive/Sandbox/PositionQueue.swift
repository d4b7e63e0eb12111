/// Elements by their numbers, which are consecutive: appended in order and taken out in any. What has been taken out in
/// front leaves its room to those that follow.
struct PositionQueue<Element> {
  private var elements: [Element?] = []
  /// Where in `elements` the first is that may be there.
  private var head = 0
  /// The number of the first of `elements`.
  private var start = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Gives the next number to an element, or to none.
  mutating func append(_ element: Element?) {
    elements.append(element)
    if element != nil { count += 1 } else if elements.count == 1 { advance() }
  }

  /// Takes out the element of this number; nil where there is none.
  mutating func take(_ number: Int) -> Element? {
    guard number >= start, number - start < elements.count,
      let element = elements[number - start].take()
    else { return nil }
    count -= 1
    if number - start == head { advance() }
    return element
  }

  mutating func takeFirst() -> Element? { isEmpty ? nil : take(start + head) }

  private mutating func advance() {
    while head < elements.count, elements[head] == nil { head += 1 }
    // Half of them at least, so that each is moved once at most.
    guard head == elements.count || head >= max(1024, elements.count / 2) else { return }
    elements.removeFirst(head)
    start += head
    head = 0
  }
}
