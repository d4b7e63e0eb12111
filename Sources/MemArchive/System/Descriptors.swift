internal import SystemPackage

/// A descriptor that is closed with its owner.
struct OwnedDescriptor: ~Copyable {
  let descriptor: FileDescriptor
  init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }
  deinit { SystemCalls.close(descriptor) }
}

/// The same for descriptors of which there are many together, and somebody may take it.
final class HeldDescriptor {
  private var descriptor: FileDescriptor?
  init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }
  deinit { if let descriptor { SystemCalls.close(descriptor) } }

  var rawValue: CInt { descriptor?.rawValue ?? -1 }

  func take() -> FileDescriptor? {
    defer { descriptor = nil }
    return descriptor
  }
}
