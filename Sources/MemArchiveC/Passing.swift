// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation
// memarchive.h documents these functions.

public import CMemArchive
internal import MemArchive
internal import SystemPackage

@c(memarchive_file_send)
public func fileSend(_ file: OpaquePointer?, _ socket: Int32, _ error: ErrorPlace?) -> memarchive_code {
  unsafe call(error) {
    let handle = try unsafe FileHandle.of(file)
    try handle.file.send(to: FileDescriptor(rawValue: socket))
  }
}

@c(memarchive_files_send)
public func filesSend(_ files: OpaquePointer?, _ socket: Int32, _ error: ErrorPlace?) -> memarchive_code {
  unsafe call(error) {
    try MemFile.send(try unsafe FilesHandle.of(files).files.values, to: FileDescriptor(rawValue: socket))
  }
}

@c(memarchive_receive)
public func receive(
  _ socket: Int32, _ options: UnsafePointer<memarchive_options>?, _ files: HandlePlace?, _ error: ErrorPlace?
) -> memarchive_code {
  unsafe call(files, empty: nil, error) {
    let limits = try unsafe Settings(options).limits
    let received = try MemFile.receive(from: FileDescriptor(rawValue: socket), limits: limits)
    return unsafe received.map { unsafe FilesHandle(MemFiles($0)).passed() }
  }
}
