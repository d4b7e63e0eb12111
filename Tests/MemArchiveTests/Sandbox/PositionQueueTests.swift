// Optimized builds have no @testable modules, and skip these tests.
#if TESTABLE
import Testing

@testable import MemArchive

struct PositionQueueTests {
  @Test func `Elements are found and removed by their numbers, in any order`() {
    var queue = PositionQueue<String>()
    for element in ["a", "b", "c", "d"] { queue.append(element) }
    queue[2]? += "!"
    #expect(queue[2] == "c!")
    for number in [1, 2] { queue.remove(number) }
    for number in [1, 2, 4, -1, .max, .min] {
      queue[number]? += "?"
      queue.remove(number)
      #expect(queue[number] == nil)
    }
    #expect(queue[0] == "a")
    queue.remove(0)
    queue.append("e")
    #expect(queue[4] == "e")
    #expect(queue[3] == "d")
  }

  /// Against a dictionary, with the front moved on again and again.
  @Test(arguments: 0..<8)
  func `Numbers stay what they were`(_ seed: Int) {
    var random = SplitMix(state: UInt64(seed))
    var queue = PositionQueue<Int>()
    var expected: [Int: Int] = [:]
    var next = 0
    for _ in 0..<20_000 {
      if random.next() % 100 < 52 {
        queue.append(next)
        expected[next] = next
        next += 1
      } else {
        let number = max(0, next - 1 - Int(random.next() % 3000))
        #expect(queue[number] == expected.removeValue(forKey: number))
        queue.remove(number)
      }
    }
    for number in 0...next { #expect(queue[number] == expected[number]) }
  }
}
#endif
