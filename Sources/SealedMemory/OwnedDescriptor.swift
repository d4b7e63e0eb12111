package import SystemPackage

/// A descriptor that is closed with its owner.
package struct OwnedDescriptor: ~Copyable, Sendable {
  package let descriptor: FileDescriptor
  package init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }
  deinit { SystemCalls.close(descriptor) }

  /// Gives the descriptor to the caller, who closes it.
  package consuming func release() -> FileDescriptor {
    let descriptor = descriptor
    discard self
    return descriptor
  }
}

/// The same as an object, for collections; its descriptor can be taken away.
package final class HeldDescriptor {
  private var descriptor: FileDescriptor?
  package init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }
  deinit { if let descriptor { SystemCalls.close(descriptor) } }

  package var rawValue: CInt { descriptor?.rawValue ?? -1 }

  package func take() -> FileDescriptor? {
    defer { descriptor = nil }
    return descriptor
  }
}

/// The descriptors that came with one message. Those that are not taken are closed.
package struct ReceivedDescriptors: ~Copyable {
  private var rest: ArraySlice<FileDescriptor>

  /// The number of descriptors left.
  package var count: Int { rest.count }

  init(owning descriptors: [FileDescriptor]) { rest = descriptors[...] }

  deinit { for descriptor in rest { SystemCalls.close(descriptor) } }

  /// The next descriptor, which the caller owns from then on.
  package mutating func next() -> Memfd? { rest.popFirst().map { Memfd(adopting: $0) } }
}
