/// What stands under a name in a tree that is being made. One object a component, so that a long path costs what it is
/// long and not its square.
final class TreeNode {
  enum Kind {
    /// Made for an entry below it, or by an entry of its own.
    case directory
    case file
    case symlink
    case hardlink
  }

  let component: [UInt8]
  let kind: Kind
  private(set) unowned(unsafe) var parent: TreeNode?
  private(set) var children: [[UInt8]: TreeNode] = [:]
  /// The entry that it is made of; nil for a directory that has none.
  var entry: ArchiveEntry?
  /// The position of that entry among all.
  var position = -1
  /// Whether the file or link is there: content comes later than names.
  var isMade = false

  init(_ kind: Kind, component: [UInt8]) {
    self.kind = kind
    self.component = component
  }

  func child(_ component: [UInt8]) -> TreeNode? { children[component] }

  /// Puts a node under its name, in place of what was there.
  func add(_ node: TreeNode) {
    unsafe node.parent = self
    children[node.component] = node
  }

  func remove(_ component: [UInt8]) { children[component] = nil }

  /// The node at the end of a path, no link followed.
  func node(_ path: TreePath) -> TreeNode? {
    var node = self
    for component in path.components {
      guard let next = node.children[component] else { return nil }
      node = next
    }
    return node
  }

  /// Calls `body` with each directory below this one, a directory's own before it.
  func forEachDirectoryBelow<Failure: Error>(
    _ path: TreePath = .top, _ body: (TreeNode, TreePath) throws(Failure) -> Void
  ) throws(Failure) {
    for child in children.values where child.kind == .directory {
      let path = path.appending(child.component)
      try child.forEachDirectoryBelow(path, body)
      try body(child, path)
    }
  }

  /// Calls `body` with each node below this one, a directory's children before it.
  func forEachBelow<Failure: Error>(
    _ path: TreePath = .top, _ body: (TreeNode, TreePath) throws(Failure) -> Void
  ) throws(Failure) {
    for child in children.values {
      let path = path.appending(child.component)
      try child.forEachBelow(path, body)
      try body(child, path)
    }
  }
}
