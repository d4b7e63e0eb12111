// An optimised build has no @testable modules, and runs none of these.
#if DEBUG
import Testing

@testable import MemArchive

struct PositionQueueTests {
  @Test func `Elements are taken by their numbers, in any order`() {
    var window = PositionQueue<String>()
    for element in ["a", nil, "c", "d"] { window.append(element) }
    #expect(window.count == 3)
    #expect(window.take(2) == "c")
    #expect(window.take(2) == nil)
    #expect(window.take(1) == nil)
    #expect(window.take(4) == nil)
    #expect(window.take(-1) == nil)
    #expect(window.take(.max) == nil)
    #expect(window.takeFirst() == "a")
    window.append("e")
    #expect(window.take(4) == "e")
    #expect(window.takeFirst() == "d")
    #expect(window.isEmpty)
    #expect(window.takeFirst() == nil)
    window.append(nil)
    window.append("g")
    #expect(window.take(0) == nil)
    #expect(window.take(6) == "g")
  }

  /// Against a dictionary, with the front moved on again and again.
  @Test(arguments: 0..<8)
  func `Numbers stay what they were`(_ seed: Int) {
    var random = SplitMix(state: UInt64(seed))
    var window = PositionQueue<Int>()
    var expected: [Int: Int] = [:]
    var next = 0
    for _ in 0..<20_000 {
      if random.next() % 100 < 52 {
        let element = random.next() % 5 == 0 ? nil : next
        window.append(element)
        expected[next] = element
        next += 1
      } else {
        let number = max(0, next - 1 - Int(random.next() % 3000))
        #expect(window.take(number) == expected.removeValue(forKey: number))
      }
      #expect(window.count == expected.count)
    }
    for number in expected.keys.sorted() { #expect(window.takeFirst() == number) }
    #expect(window.isEmpty)
  }
}
#endif
