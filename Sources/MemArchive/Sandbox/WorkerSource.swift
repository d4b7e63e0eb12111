internal import CLinux
internal import SealedMemory
internal import SystemPackage

/// The archive as it is passed to a worker: descriptors that can only be read, each with an offset of its own, or a socket on
/// which this process is asked.
struct WorkerSource {
  private(set) var descriptors: [CInt] = []
  private(set) var sources: [WorkerRequest.Source] = []
  /// Keeps the descriptors open.
  private var owners: [HeldDescriptor] = []
  private var files: [MemFile] = []
  private var kept: [KeptFile] = []
  /// Answers the worker where the caller reads the archive.
  private(set) var server: SourceServer?
  /// An index of the archive, whose descriptor is sent behind the others.
  let index: MemFile?
  /// What writes to the pipe.
  private var feeder: ChunkTask?

  private var hasPipe: Bool { sources.contains(.pipe) }

  /// Whether a worker may have to wait for the archive: it is an empty pipe, or the caller is reading.
  var givesNothing: Bool {
    get throws(Errno) {
      if let server { return server.isReading }
      guard hasPipe, let pipe = descriptors.first else { return false }
      return try !SystemCalls.waitForInput(FileDescriptor(rawValue: pipe), milliseconds: 0)
    }
  }

  /// The size of all files together; nil for a pipe.
  var packedSize: Int64? {
    var size: Int64 = 0
    for part in sources.lazy.compactMap(\.size) { size = size.addingReportingOverflow(part).partialValue }
    return hasPipe ? nil : size
  }

  /// A file that is opened here is shared with nobody; a descriptor of the caller's is reopened by its path in /proc,
  /// or copied into a sealed memory file if that fails.
  init(_ reader: ArchiveReader, in context: ExtractionContext) throws(ArchiveError) {
    index = if case .file(let file) = reader.index { file } else { nil }
    switch reader.origin {
    case .bytes(let bytes): try add(MemFile(name: "the archive itself", bytes: bytes))
    case .file(let file): try add(file)
    case .path(let path): try add(path, reader.pipe, context)
    case .parts(let paths):
      guard paths.count < PacketChannel.mostDescriptors else { throw Self.tooMany }
      for path in paths {
        try add(path, nil, context)
        if hasPipe { throw .open("\(path)", .illegalSeek) }
      }
    case .descriptor(let descriptor): try add(descriptor, reader.pipe, context)
    case .kept(let files):
      guard files.count + 1 < PacketChannel.mostDescriptors else { throw Self.tooMany }
      for file in files {
        try file.check()
        descriptors.append(file.descriptor.rawValue)
        sources.append(.file(size: file.size))
      }
      kept = files
    case .source(let source):
      let server = try SourceServer(RequestedSource(source, [context.cancellation]))
      descriptors.append(server.descriptor.rawValue)
      sources.append(.asked(size: server.size))
      self.server = server
    case .chunks(let feed):
      let (descriptor, task) = try reader.start(feed, [context.cancellation])
      feeder = task
      add(HeldDescriptor(descriptor), .pipe)
    case .passed: throw .sandboxUnavailable("the archive", "a worker is already reading it")
    }
  }

  private static var tooMany: ArchiveError {
    .sandboxUnavailable("the archive", "it has more than \(PacketChannel.mostDescriptors - 1) files")
  }

  private mutating func add(_ file: MemFile) throws(ArchiveError) {
    descriptors.append(try file.contentDescriptor.rawValue)
    sources.append(.file(size: Int64(file.size)))
    files.append(file)
  }

  private mutating func add(_ owner: HeldDescriptor, _ source: WorkerRequest.Source) {
    descriptors.append(owner.rawValue)
    sources.append(source)
    owners.append(owner)
  }

  private mutating func add(
    _ path: FilePath, _ pipe: PipeState?, _ context: ExtractionContext
  ) throws(ArchiveError) {
    let owner = HeldDescriptor(try ArchiveReader.open(path, pipe))
    try add(
      FileDescriptor(rawValue: owner.rawValue), owner, name: "\(path)", pipe, context)
  }

  private mutating func add(
    _ descriptor: FileDescriptor, _ pipe: PipeState?, _ context: ExtractionContext
  ) throws(ArchiveError) {
    try add(descriptor, nil, name: "descriptor \(descriptor.rawValue)", pipe, context)
  }

  /// - Parameter own: The same descriptor, if it was opened here, for reading.
  private mutating func add(
    _ descriptor: FileDescriptor, _ own: HeldDescriptor?, name: String, _ pipe: PipeState?,
    _ context: ExtractionContext
  ) throws(ArchiveError) {
    let status: Stat
    let size: Int64?
    do throws(Errno) {
      status = try Stat(descriptor)
      size = try SystemCalls.extent(of: descriptor, status)
    } catch {
      throw .open(name, error)
    }
    let path = "/proc/self/fd/\(descriptor.rawValue)"
    if let size {
      if let file = own ?? Self.reopened(try? SystemCalls.openReadOnly(FilePath(path)), status) {
        return add(file, .file(size: size))
      }
      // There is no /proc, or the file may no longer be opened.
      return try add(Self.copy(of: FileSource(descriptor, size: size, isOwned: false), context.ledger))
    }
    guard pipe?.take() ?? true else { throw .consumed(name) }
    if status.type == .fifo {
      if let file = own ?? Self.reopened(Self.reopenedPipe(path), status) {
        return add(file, .pipe)
      }
    }
    // A worker that could read from a socket or a terminal could also write to it.
    let cancellations = [context.cancellation]
    try add(
      Self.copy(of: PipeSource(descriptor, isOwned: false, cancellations: cancellations), context.ledger))
  }

  private static func reopenedPipe(_ path: String) -> FileDescriptor? {
    let number = unsafe clinux_reopen_pipe(path)
    return number < 0 ? nil : FileDescriptor(rawValue: number)
  }

  private static func reopened(_ descriptor: FileDescriptor?, _ status: Stat) -> HeldDescriptor? {
    guard let descriptor else { return nil }
    let owner = HeldDescriptor(descriptor)
    guard let own = try? Stat(descriptor), own.isSameFile(as: status) else { return nil }
    return owner
  }

  private static func copy(of source: any ByteSource, _ ledger: Ledger) throws(ArchiveError) -> MemFile {
    let name = "the archive itself"
    return MemFile(try Spool.memory(source, name: name, ledger: ledger), name: name, entry: nil)
  }
}
