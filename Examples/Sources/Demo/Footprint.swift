import Glibc

/// What this process holds open, and what it had written to storage, by the kernel's own books.
struct Footprint {
  private(set) var inMemory = 0
  private(set) var reading = 0
  private(set) var others = 0
  private(set) var storedBytes: Int?

  /// - Parameter inherited: The descriptors that were open when the process began, which are not its doing.
  init(besides inherited: Set<CInt>) throws {
    for descriptor in try Self.descriptors().subtracting(inherited) {
      // The descriptor that the listing itself took is gone by now.
      guard let target = Self.target(of: descriptor), let flags = Self.flags(of: descriptor) else { continue }
      if target.hasPrefix("/memfd:"), Self.isNameless(descriptor) {
        inMemory += 1
      } else if flags & O_ACCMODE == O_RDONLY {
        reading += 1
      } else if Self.isNoFile(target) {
        others += 1
      } else {
        throw Failure("descriptor \(descriptor) is open for writing: \(target)")
      }
    }
    storedBytes = Self.value(of: "write_bytes", in: "/proc/self/io").flatMap { Int($0) }
    // Whoever sends our own output to a file has it counted here.
    if let storedBytes, storedBytes > 0, !Self.writesOutputToFile {
      throw Failure("\(storedBytes) bytes went to storage")
    }
  }

  private static func isNoFile(_ target: String) -> Bool {
    !target.hasPrefix("/") || target == "/dev/null" || target == "/dev/tty" || target.hasPrefix("/dev/pts/")
  }

  /// Whether no directory holds the file. One on a disk could be called /memfd: too.
  private static func isNameless(_ descriptor: CInt) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_nlink == 0
  }

  private static var writesOutputToFile: Bool {
    [STDOUT_FILENO, STDERR_FILENO].contains { descriptor in
      var status = stat()
      return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }
  }

  static func descriptors() throws -> Set<CInt> {
    guard let directory = opendir("/proc/self/fd") else { throw Failure("/proc is not mounted") }
    defer { closedir(directory) }
    var numbers: Set<CInt> = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let number = CInt(name) { numbers.insert(number) }
    }
    return numbers
  }

  private static func target(of descriptor: CInt) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink("/proc/self/fd/\(descriptor)", start, buffer.count)
      guard count >= 0 else { return nil }
      return String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }

  private static func flags(of descriptor: CInt) -> CInt? {
    value(of: "flags", in: "/proc/self/fdinfo/\(descriptor)").flatMap { CInt($0, radix: 8) }
  }

  /// The value of a line `key: value`; `nil` also when this kernel keeps no such book.
  private static func value(of key: String, in path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let text = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      String(decoding: buffer[..<max(0, read(descriptor, buffer.baseAddress, buffer.count))], as: UTF8.self)
    }
    for line in text.split(separator: "\n") where line.hasPrefix("\(key):") {
      return String(line.dropFirst(key.count + 1).drop(while: \.isWhitespace))
    }
    return nil
  }
}

extension Footprint: CustomStringConvertible {
  var description: String {
    let stored = storedBytes.map { "\($0) bytes sent to storage" } ?? "this kernel does not count writes"
    return "\(inMemory) files in memory, \(reading) open for reading, \(others) pipes or terminals; "
      + "none open for writing; \(stored)"
  }
}
