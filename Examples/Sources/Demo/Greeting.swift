import Glibc
import MemArchive

/// Calls into a shared object that the loader took by path.
struct Greeting {
  private(set) var text = ""
  /// Of the subject's bytes; `nil` when the library is for another machine.
  private(set) var checksum: UInt32?

  private typealias Greet = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<CChar>, Int) -> CInt
  private typealias Adler32 = @convention(c) (UnsafeRawPointer?, Int) -> UInt32

  /// Has the library greet, and sum up the bytes of another file of the archive.
  init(library: MemFile, subject: MemFile) throws {
    guard Self.suitsThisMachine else {
      text = "left out: the library in the archive is for x86-64."
      return
    }
    // RTLD_LOCAL, and closed in the end: the loader knows a library by its path, and this one's number is reused.
    guard let handle = try library.withPath({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }) else {
      throw Failure("dlopen: \(Self.reason)")
    }
    defer { dlclose(handle) }
    guard let greet = dlsym(handle, "greet"), let adler32 = dlsym(handle, "greet_adler32") else {
      throw Failure("dlsym: \(Self.reason)")
    }

    var buffer = [CChar](repeating: 0, count: 200)
    let length = unsafeBitCast(greet, to: Greet.self)("Swift", &buffer, buffer.count)
    text = String(decoding: buffer.prefix(while: { $0 != 0 }).map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard text == "Hello, Swift, from a library that was never on a disk.", length == text.utf8.count else {
      throw Failure("greet answered \(length), \"\(text)\"")
    }

    let (answer, expected) = try subject.withBytes { bytes in
      bytes.withUnsafeBytes {
        (unsafeBitCast(adler32, to: Adler32.self)($0.baseAddress, $0.count), Self.adler32(of: $0))
      }
    }
    guard answer == expected else { throw Failure("greet_adler32 answered \(answer), not \(expected)") }
    checksum = answer
  }

  #if arch(x86_64)
  private static let suitsThisMachine = true
  #else
  private static let suitsThisMachine = false
  #endif

  private static var reason: String { dlerror().map { String(cString: $0) } ?? "no reason given" }

  /// RFC 1950, said again in Swift to check the answer.
  private static func adler32(of bytes: UnsafeRawBufferPointer) -> UInt32 {
    var a: UInt32 = 1
    var b: UInt32 = 0
    for byte in bytes {
      a = (a + UInt32(byte)) % 65_521
      b = (b + a) % 65_521
    }
    return b << 16 | a
  }
}

extension Greeting: CustomStringConvertible {
  var description: String {
    guard let checksum else { return text }
    return "\"\(text)\"; its Adler-32 of the SoundFont is right: \(checksum)"
  }
}
