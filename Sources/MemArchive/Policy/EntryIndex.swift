/// The entry at a path, looked up component by component: "./", doubled slashes and a trailing one make no difference. A step
/// to the next component costs as much as the component is long, however long the path is.
struct EntryIndex {
  /// A path that need not be in the index: the part that is, and the number of components that follow.
  struct Place: Equatable {
    fileprivate(set) var node = 0
    fileprivate(set) var beyond = 0
  }

  /// A path of an entry, or of a directory above one.
  private struct Node {
    let parent: Int32
    /// The position of the last component.
    let start: Int
    let count: Int32
    var entry: Int32 = -1
  }

  private var nodes = [Node(parent: -1, start: 0, count: 0)]
  private var components: [UInt8] = []
  /// The nodes by their hash, at most half of them taken; -1 for none.
  private var slots = [Int32](repeating: -1, count: 64)
  /// The directory of the path that was added last, with its slash: entries of one directory follow each other.
  private var last: (directory: [UInt8], node: Int) = ([], 0)

  private static let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))

  init() {}

  /// An index of an archive's entries; its memory counts as held.
  ///
  /// - Parameters:
  ///   - isNamed: Whether the entry at a position is indexed by its name; called with the index of the entries before it.
  ///   - gives: Whether the first of two entries with the same path gives way to the second.
  init(
    of entries: [ArchiveEntry], _ charge: inout Charge, _ cancellation: Cancellation,
    where isNamed: (Int, EntryIndex) -> Bool, replacing gives: (Int, Int) -> Bool
  ) throws(ArchiveError) {
    var check = PeriodicCheck(cancellation)
    var counted = 0
    for (position, entry) in entries.enumerated() where isNamed(position, self) {
      try check.step()
      let node = add(entry.name.utf8Span.span)
      if size - counted >= 1 << 20 {
        try charge.hold(Int64(size - counted), entry: entry.name)
        counted = size
      }
      if let other = self[node], !gives(other, position) { continue }
      self[node] = position
    }
    try charge.hold(Int64(size - counted), entry: entries.last?.name ?? "")
  }

  /// Its memory, in bytes.
  private var size: Int {
    nodes.count * MemoryLayout<Node>.stride + slots.count * MemoryLayout<Int32>.stride + components.count
  }

  /// The entry that has a path.
  subscript(node: Int) -> Int? {
    get { nodes[node].entry < 0 ? nil : Int(nodes[node].entry) }
    set { nodes[node].entry = newValue.map { Int32($0) } ?? -1 }
  }

  /// The entry at a place.
  func entry(at place: Place) -> Int? { place.beyond > 0 ? nil : self[place.node] }

  /// All nodes; a directory comes before those below it, the top first.
  var allNodes: Range<Int> { nodes.indices }

  /// Adds a path, and returns its node.
  mutating func add(_ path: Span<UInt8>) -> Int {
    let isBelowLast = Self.begins(path, with: last.directory.span)
    var (offset, node) = isBelowLast ? (last.directory.count, last.node) : (0, 0)
    var directory = (length: offset, node: node)
    while let range = Self.component(of: path, from: &offset) {
      directory = (range.lowerBound, node)
      node = add(path.extracting(range), below: node)
    }
    if !isBelowLast || directory.length != last.directory.count {
      last = ((0..<directory.length).map { path[$0] }, directory.node)
    }
    return node
  }

  private static func begins(_ path: Span<UInt8>, with directory: Span<UInt8>) -> Bool {
    guard directory.count <= path.count else { return false }
    for index in directory.indices where path[index] != directory[index] { return false }
    return true
  }

  /// The component that begins at an offset, or after slashes and dots there; nil if there is none.
  static func component(of path: Span<UInt8>, from offset: inout Int) -> Range<Int>? {
    while true {
      while offset < path.count, path[offset] == slash { offset += 1 }
      guard offset < path.count else { return nil }
      let start = offset
      while offset < path.count, path[offset] != slash { offset += 1 }
      if offset == start + 1, path[start] == dot { continue }
      return start..<offset
    }
  }

  // MARK: Places

  /// Advances a place by one component.
  func enter(_ component: Span<UInt8>, from place: inout Place) {
    if place.beyond == 0, let next = node(component, below: place.node) {
      place.node = next
    } else {
      place.beyond += 1
    }
  }

  /// Moves a place up by one component; false at the top.
  func leave(_ place: inout Place) -> Bool {
    if place.beyond > 0 {
      place.beyond -= 1
    } else {
      guard place.node > 0 else { return false }
      place.node = Int(nodes[place.node].parent)
    }
    return true
  }

  /// The place of a path, in which ".." is a name like any other, or of the directory that contains it.
  func place(of path: Span<UInt8>, isDirectory: Bool = false) -> Place {
    var (place, before) = (Place(), Place())
    var offset = 0
    while let range = Self.component(of: path, from: &offset) {
      before = place
      enter(path.extracting(range), from: &place)
    }
    return isDirectory ? before : place
  }

  /// The entry that has the path of a name.
  func entry(named name: String) -> Int? { entry(at: place(of: name.utf8Span.span)) }

  /// The node of a path, if it is in the index.
  func node(of path: Span<UInt8>) -> Int? {
    let place = place(of: path)
    return place.beyond > 0 ? nil : place.node
  }

  // MARK: Nodes

  /// Adds a component to a node, and returns its node.
  mutating func add(_ component: Span<UInt8>, below parent: Int) -> Int {
    let slot = slot(of: component, below: parent)
    if let node = node(in: slot) { return node }
    nodes.append(Node(parent: Int32(parent), start: components.count, count: Int32(component.count)))
    for index in component.indices { components.append(component[index]) }
    slots[slot] = Int32(nodes.count - 1)
    if nodes.count > slots.count / 2 { grow() }
    return nodes.count - 1
  }

  /// The node of a component of a node, if it is in the index.
  func node(_ component: Span<UInt8>, below parent: Int) -> Int? {
    node(in: slot(of: component, below: parent))
  }

  private func node(in slot: Int) -> Int? { slots[slot] < 0 ? nil : Int(slots[slot]) }

  /// The slot of a node, or the free slot for it.
  private func slot(of component: Span<UInt8>, below parent: Int) -> Int {
    var slot = Self.hash(component, parent) & (slots.count - 1)
    while slots[slot] >= 0, !isNode(Int(slots[slot]), component, below: parent) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func isNode(_ number: Int, _ component: Span<UInt8>, below parent: Int) -> Bool {
    let node = nodes[number]
    guard node.parent == Int32(parent), node.count == Int32(component.count) else { return false }
    for index in component.indices where components[node.start + index] != component[index] { return false }
    return true
  }

  /// Seeded, so that an archive cannot contain names chosen to collide.
  private static func hash(_ component: Span<UInt8>, _ parent: Int) -> Int {
    var hasher = Hasher()
    hasher.combine(parent)
    unsafe component.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    return hasher.finalize()
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    let components = components
    let all = components.span
    for number in nodes.indices.dropFirst() {
      let node = nodes[number]
      let component = all.extracting(node.start..<node.start + Int(node.count))
      slots[slot(of: component, below: Int(node.parent))] = Int32(number)
    }
  }
}
