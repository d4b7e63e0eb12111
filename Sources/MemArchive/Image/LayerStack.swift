internal import CLinux
internal import Libc
internal import SealedMemory
internal import SystemPackage

/// The layers of an image, applied one after another to one directory of a tree.
///
/// Each is unpacked on the stage, beside what is there, as any archive is, and then moved over it: what a layer's entries are, and
/// where they lead, is decided before they meet those of another layer. Symbolic links are followed as in a process whose root
/// the directory is, so that none leads out of it: a layer's own by its ``TreeWriter``, those of the layers below by the kernel.
final class LayerStack {
  private(set) var builder: TreeBuilder
  private let top: OwnedDescriptor
  /// The entries of directories, by inode: what they look like is set last, because it may deny changing them.
  private var looks: [UInt64: ArchiveEntry] = [:]

  /// What the names of entries begin with that hide one of the layers below.
  private static let whiteout = Array(".wh.".utf8)
  /// What stands for all that the layers below have in its directory.
  private static let opaque = Array(".wh..wh..opq".utf8)

  static func isMark(_ path: EntryPath) -> Bool { path.lastComponent.starts(with: whiteout) }

  init(_ builder: TreeBuilder, top: consuming OwnedDescriptor) {
    self.builder = builder
    self.top = top
  }

  /// - Parameter name: The layer's, which errors begin with.
  func add(_ layer: ArchiveReader, named name: String, in context: ExtractionContext) throws(ArchiveError) {
    let space = builder.space
    let context = context.changed { $0.formats = .tar }
    let stage = space.nextStageName()
    do throws(ArchiveError) {
      let directory = try making(name) { () throws(Errno) in
        try space.makeDirectory(stage, in: space.stage.descriptor)
      }
      let area = TreeArea(space, top: directory)
      let writer = TreeWriter(area, in: context, wantsAll: true, below: top.descriptor) { _ in true }
      var visitor = writer
      try layer.visit(&visitor, in: context)
      try writer.settle()
      try take(writer, context)
    } catch {
      throw error.inside(name).adviceForImages
    }
    try making(name) { () throws(Errno) in try space.removeFromStage(stage) }
  }

  /// Gives directories their modes, owners and times, and takes away links that lead out, unless they are wanted.
  func finish(_ context: ExtractionContext) throws(ArchiveError) {
    try builder.takeAwayLinksThatLeadOut(below: top.descriptor, context)
    var directories: [EntryPath] = [.top]
    var next = 0
    while next < directories.count {
      try context.cancellation.check()
      let path = directories[next]
      next += 1
      directories += try making(path) { () throws(Errno) in
        let directory = try SystemCalls.open(beneath: top.descriptor, path.cString, O_RDONLY | O_DIRECTORY)
        return try SystemCalls.entries(of: directory.descriptor).filter { $0.type == DT_DIR }.map {
          path.appending($0.name.bytes)
        }
      }
    }
    // Those below come first.
    for path in directories.reversed() {
      try making(path) { () throws(Errno) in
        let directory = try SystemCalls.open(beneath: top.descriptor, path.cString, O_RDONLY | O_DIRECTORY)
        guard let entry = looks[UInt64(try Stat(directory.descriptor).inode.rawValue)] else { return }
        try builder.space.looks.setOwner(of: directory.descriptor, entry)
        try SystemCalls.changeMode(directory.descriptor, to: builder.space.looks.mode(of: entry))
        try SystemCalls.setTimes(of: directory.descriptor, to: entry)
      }
    }
  }

  // MARK: Files of the image

  /// Makes sure that there is a directory of this name at the top, which may be in the place of something else.
  func makeDirectory(_ name: String) throws(ArchiveError) {
    let path = EntryPath(raw: Array(name.utf8))
    try making(path) { () throws(Errno) in
      if let status = try? SystemCalls.status(of: path.cString, in: top.descriptor) {
        if status.type == .directory { return }
        try remove(path.cString, in: top.descriptor)
      }
      _ = try builder.space.makeDirectory(path.cString, in: top.descriptor)
    }
  }

  /// The content of a file, where it has one of at most 1 MiB; links are followed in the image.
  func content(of path: String) throws(ArchiveError) -> [UInt8] {
    guard let found = try? follow(EntryPath(raw: Array(path.utf8))),
      let status = try? Stat(found.descriptor), status.type == .regular
    else { return [] }
    return try making(EntryPath(raw: Array(path.utf8))) { () throws(Errno) in
      guard status.size <= 1 << 20 else { throw .fileTooLarge }
      let file = OwnedDescriptor(
        try SystemCalls.openReadOnly(FilePath("/proc/self/fd/\(found.descriptor.rawValue)")))
      var bytes = [UInt8](repeating: 0, count: Int(status.size))
      var span = bytes.mutableSpan
      var all = unsafe span.mutableBytes
      let count = try SystemCalls.read(file.descriptor, at: 0, into: &all)
      return Array(bytes.prefix(count))
    }
  }

  /// Puts a file where the image has a directory for it.
  func write(_ content: [UInt8], to path: String) throws(ArchiveError) {
    let path = EntryPath(raw: Array(path.utf8))
    guard let parent = try? follow(path.parent), let status = try? Stat(parent.descriptor),
      status.type == .directory
    else { return }
    try builder.space.account.addInode(entry: EntryName.key(path.bytes))
    try making(path) { () throws(Errno) in
      if (try? SystemCalls.status(of: path.last, in: parent.descriptor)) != nil {
        try remove(path.last, in: parent.descriptor)
      }
      let file = try SystemCalls.makeFile(path.last, in: parent.descriptor, mode: 0o644)
      try unsafe SystemCalls.write(content.span.bytes, to: file.descriptor, at: 0)
    }
  }

  // MARK: One layer over those below

  private func take(_ writer: TreeWriter, _ context: ExtractionContext) throws(ArchiveError) {
    var explicit: Set<EntryPath> = []
    for node in writer.index.allNodes {
      guard let position = writer.index[node], writer.entries[position].kind == .directory else { continue }
      try context.cancellation.check()
      let path = writer.path(of: position)
      explicit.insert(path)
      try making(path) { () throws(Errno) in
        let directory = try SystemCalls.openDirectory(path, beneath: writer.area.top.descriptor)
        looks[UInt64(try Stat(directory.descriptor).inode.rawValue)] = writer.entries[position]
      }
    }
    try hide(writer, explicit, context)
    try merge(writer, explicit, context)
    for position in writer.unresolved {
      try context.cancellation.check()
      if try !link(writer.entries[position], writer.path(of: position)) {
        try context.options.unavailable(
          writer.entries[position].name,
          "neither its layer nor one below has \"\(writer.entries[position].link ?? "")\"",
          &writer.warnings)
      }
    }
    // A layer is whole, as its digest says, whether its writer has ended it or not.
    builder.add(
      writer.entries, skipped: writer.skipped,
      warnings: writer.warnings.all.filter { $0.code != .missingEnd }, errors: writer.errors)
  }

  /// Removes what the layer hides of those below.
  private func hide(
    _ writer: TreeWriter, _ explicit: Set<EntryPath>, _ context: ExtractionContext
  ) throws(ArchiveError) {
    for entry in writer.entries {
      guard let path = EntryPath(entry.name), Self.isMark(path) else { continue }
      try context.cancellation.check()
      let hidden = Array(path.lastComponent.dropFirst(Self.whiteout.count))
      let isOpaque = path.lastComponent == Self.opaque
      guard isOpaque || EntryPath(EntryName.key(hidden)).map({ !$0.isTop }) ?? false else {
        throw ArchiveError(
          .insecureName, entry: entry.name, "the layer hides a name that leads out of its directory",
          advice: "Do not trust this image.")
      }
      try making(path) { () throws(Errno) in
        guard let parent = try directoryBelow(path.parent, explicit) else { return }
        if isOpaque {
          for name in try names(in: parent.descriptor) { try remove(name, in: parent.descriptor) }
        } else if !hidden.starts(with: Self.whiteout),
          (try? SystemCalls.status(of: EntryPath.cString(hidden), in: parent.descriptor)) != nil
        {
          try remove(EntryPath.cString(hidden), in: parent.descriptor)
        }
      }
    }
  }

  /// The directory that the layers below have where this layer's will be; nil where there is none, or something that this
  /// layer's will replace.
  private func directoryBelow(_ path: EntryPath, _ explicit: Set<EntryPath>) throws(Errno) -> OwnedDescriptor?
  {
    for count in 0..<path.components.count {
      let part = path.prefix(count + 1)
      guard explicit.contains(part) else { continue }
      guard let parent = try? follow(part.parent),
        let status = try? SystemCalls.status(of: part.last, in: parent.descriptor),
        status.type == .directory
      else { return nil }
    }
    guard let found = try? follow(path), try Stat(found.descriptor).type == .directory else { return nil }
    return found
  }

  /// Moves what the layer has to its place.
  private func merge(
    _ writer: TreeWriter, _ explicit: Set<EntryPath>, _ context: ExtractionContext
  ) throws(ArchiveError) {
    // Directories of the layer, and where they are to be.
    var waiting: [(path: EntryPath, place: EntryPath)] = [(.top, .top)]
    while let (path, place) = waiting.popLast() {
      try context.cancellation.check()
      guard let place = try directory(at: place) else {
        // What is no directory makes way for one.
        try making(path) { () throws(Errno) in
          let source = try writer.directory(path.parent)
          let target = try follow(place.parent)
          try remove(place.last, in: target.descriptor)
          try SystemCalls.rename(path.last, in: source.descriptor, to: place.last, in: target.descriptor)
        }
        continue
      }
      try making(path) { () throws(Errno) in
        let source = try writer.directory(path)
        let target = try follow(place)
        if let entry = looks.removeValue(forKey: UInt64(try Stat(source.descriptor).inode.rawValue)) {
          looks[UInt64(try Stat(target.descriptor).inode.rawValue)] = entry
        }
        for (name, type) in try SystemCalls.entries(of: source.descriptor) {
          let full = path.appending(name.bytes)
          if let there = try? SystemCalls.status(of: name, in: target.descriptor) {
            let isKept =
              there.type == .directory || (there.type == .symbolicLink && !explicit.contains(full))
            if type == DT_DIR, isKept {
              waiting.append((full, place.appending(name.bytes)))
              continue
            }
            try remove(name, in: target.descriptor)
          }
          try SystemCalls.rename(name, in: source.descriptor, to: name, in: target.descriptor)
        }
      }
    }
  }

  /// The directory that is at a path, or where links there lead, and is made if nothing is there; nil where something else is.
  private func directory(at path: EntryPath) throws(ArchiveError) -> EntryPath? {
    do throws(Errno) {
      let found = try follow(path)
      return try Stat(found.descriptor).type == .directory ? path : nil
    } catch {
      guard error == .noSuchFileOrDirectory else { return nil }
    }
    let real = try making(path) { () throws(Errno) in
      try path.followed { try? SystemCalls.readLink($0, beneath: top.descriptor) }
    }
    for count in 1..<real.components.count + 1 {
      let part = real.prefix(count)
      guard (try? SystemCalls.openDirectory(part, beneath: top.descriptor)) == nil else { continue }
      try builder.space.account.addInode(entry: EntryName.key(path.raw))
      let isMade = try making(path) { () throws(Errno) in
        let parent = try SystemCalls.openDirectory(part.parent, beneath: top.descriptor)
        do throws(Errno) {
          _ = try builder.space.makeDirectory(part.last, in: parent.descriptor)
        } catch .fileExists {
          return false
        }
        return true
      }
      guard isMade else { return nil }
    }
    return real
  }

  /// Makes a hard link to what is there by now: a file or a link, which is linked itself. False if there is none.
  private func link(_ entry: ArchiveEntry, _ path: EntryPath) throws(ArchiveError) -> Bool {
    guard let target = entry.link.flatMap({ EntryPath($0) }), let source = try? follow(target.parent),
      let status = try? SystemCalls.status(of: target.last, in: source.descriptor), status.type != .directory
    else { return false }
    if target == path { return true }
    try making(path) { () throws(Errno) in
      let parent = try follow(path.parent)
      if let there = try? SystemCalls.status(of: path.last, in: parent.descriptor) {
        if there.isSameFile(as: status) { return }
        try remove(path.last, in: parent.descriptor)
      }
      try SystemCalls.link(path.last, in: parent.descriptor, to: target.last, in: source.descriptor)
    }
    return true
  }

  // MARK: Steps

  /// Where a path leads in a process whose root this is.
  private func follow(_ path: EntryPath) throws(Errno) -> OwnedDescriptor {
    try SystemCalls.follow(path.cString, beneath: top.descriptor, at: "")
  }

  private func names(in directory: FileDescriptor) throws(Errno) -> [RawPath] {
    let readable = try SystemCalls.open(beneath: directory, EntryPath.top.cString, O_RDONLY | O_DIRECTORY)
    return try SystemCalls.names(in: readable.descriptor)
  }

  /// Removes a file, or a directory with all that is in it.
  private func remove(_ name: RawPath, in directory: FileDescriptor) throws(Errno) {
    let stage = builder.space.nextStageName()
    try SystemCalls.rename(name, in: directory, to: stage, in: builder.space.stage.descriptor)
    try builder.space.removeFromStage(stage)
  }

  private func making<Result: ~Copyable>(
    _ path: EntryPath, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    try making(EntryName.key(path.raw), body)
  }

  private func making<Result: ~Copyable>(
    _ name: String, _ body: () throws(Errno) -> Result
  ) throws(ArchiveError) -> Result {
    do throws(Errno) { return try body() } catch {
      throw .system("openat2", error, doing: "laying a layer of an image over those below", entry: name)
    }
  }
}

extension ArchiveError {
  /// The error with advice for a layer, which is never extracted without directories.
  fileprivate var adviceForImages: Self {
    guard code == .nameConflict || code == .nameTooLong else { return self }
    return Self(
      code, entry: entry, reason,
      advice: "Have the image built again without the entry, or ask whoever made it.")
  }
}

extension ArchiveEntry {
  /// A layer's entry with the name, and the target if it is a hard link, that it has from the image's root on.
  var belowRoot: Self {
    let hasRootedLink = kind == .hardlink && link?.utf8.first == UInt8(ascii: "/")
    guard name.utf8.first == UInt8(ascii: "/") || hasRootedLink else { return self }
    func relative(_ name: String) -> String {
      "." + (name.utf8.first == UInt8(ascii: "/") ? name : "/" + name)
    }
    var fields = fields.value
    fields.name = relative(name)
    if hasRootedLink { fields.link = link.map(relative) }
    return Self(fields)
  }
}

extension TreeWriter {
  /// A directory that was made for its entries, to be read.
  fileprivate func directory(_ path: EntryPath) throws(Errno) -> OwnedDescriptor {
    try SystemCalls.open(beneath: area.top.descriptor, path.cString, O_RDONLY | O_DIRECTORY)
  }
}

extension RawPath {
  /// Without the zero.
  fileprivate var bytes: [UInt8] { dropLast().map { UInt8(bitPattern: $0) } }
}
