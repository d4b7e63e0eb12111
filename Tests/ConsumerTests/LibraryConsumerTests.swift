import Foundation
import Glibc
import MemArchive
import SystemPackage
import Testing

/// C libraries in this process, loaded by name as by any program, with the bytes and paths of files in memory.
struct LibraryConsumerTests {
  /// SF_INFO of sndfile.h.
  private struct Info {
    var frames: Int64 = 0
    var rate: CInt = 0
    var channels: CInt = 0
    var format: CInt = 0
    var sections: CInt = 0
    var seekable: CInt = 0
  }

  /// A C function of a system library, which stays loaded.
  private func function<Function>(_ name: String, _ library: String, as type: Function.Type) throws
    -> Function
  {
    let handle = try #require(dlopen(library, RTLD_NOW | RTLD_LOCAL), "\(library)")
    return unsafeBitCast(try #require(dlsym(handle, name), "\(name)"), to: type)
  }

  private func file(_ name: String, of archive: String) throws -> MemFile {
    let files = try ArchiveReader(path: Archives.path(archive)).extract()
    return try #require(files[name])
  }

  @Test func `SQLite takes a database's bytes, because no path works`() throws {
    let library = "libsqlite3.so.0"
    typealias Pointer = OpaquePointer
    let open = try function(
      "sqlite3_open_v2", library,
      as: (@convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<Pointer?>, CInt, UnsafePointer<CChar>?)
        -> CInt).self)
    let deserialize = try function(
      "sqlite3_deserialize", library,
      as: (@convention(c) (Pointer, UnsafePointer<CChar>, UnsafeRawPointer?, Int64, Int64, CUnsignedInt) ->
        CInt).self)
    let prepare = try function(
      "sqlite3_prepare_v2", library,
      as: (@convention(c) (
        Pointer, UnsafePointer<CChar>, CInt, UnsafeMutablePointer<Pointer?>, UnsafeRawPointer?
      ) -> CInt)
      .self)
    let step = try function("sqlite3_step", library, as: (@convention(c) (Pointer) -> CInt).self)
    let column = try function(
      "sqlite3_column_int", library, as: (@convention(c) (Pointer, CInt) -> CInt).self)
    let finalize = try function("sqlite3_finalize", library, as: (@convention(c) (Pointer) -> CInt).self)
    let close = try function("sqlite3_close", library, as: (@convention(c) (Pointer) -> CInt).self)

    try file("data.db", of: "sqlite").withBytes { bytes in
      var opened: Pointer?
      try #require(open(":memory:", &opened, 2, nil) == 0)  // SQLITE_OPEN_READWRITE
      let database = try #require(opened)
      defer { #expect(close(database) == 0) }
      try bytes.withUnsafeBytes { bytes in
        // SQLITE_DESERIALIZE_READONLY: the bytes are sealed, and a write would be a fault.
        let size = Int64(bytes.count)
        try #require(deserialize(database, "main", bytes.baseAddress, size, size, 4) == 0)
        var prepared: Pointer?
        try #require(prepare(database, "select sum(n) from t", -1, &prepared, nil) == 0)
        let statement = try #require(prepared)
        #expect(step(statement) == 100)  // SQLITE_ROW
        #expect(column(statement, 0) == 42)
        #expect(finalize(statement) == 0)
        try #require(prepare(database, "insert into t values (1, 'x')", -1, &prepared, nil) == 0)
        let insertion = try #require(prepared)
        #expect(step(insertion) == 8)  // SQLITE_READONLY
        _ = finalize(insertion)
      }
    }
  }

  @Test func `libsndfile opens a path and a descriptor`() throws {
    let library = "libsndfile.so.1"
    let open = try function(
      "sf_open", library,
      as: (@convention(c) (UnsafePointer<CChar>, CInt, UnsafeMutableRawPointer) -> OpaquePointer?).self)
    let openDescriptor = try function(
      "sf_open_fd", library,
      as: (@convention(c) (CInt, CInt, UnsafeMutableRawPointer, CInt) -> OpaquePointer?).self)
    let read = try function(
      "sf_read_short", library,
      as: (@convention(c) (OpaquePointer, UnsafeMutablePointer<Int16>, Int64) -> Int64).self)
    let close = try function("sf_close", library, as: (@convention(c) (OpaquePointer) -> CInt).self)
    let file = try file("tone.wav", of: "sndfile")

    func check(_ sound: OpaquePointer?, _ info: Info) throws {
      let opened = try #require(sound)
      defer { _ = close(opened) }
      #expect(info.frames == 4000 && info.rate == 8000 && info.channels == 1)
      var samples = [Int16](repeating: 0, count: 5000)
      #expect(read(opened, &samples, 5000) == 4000)
      #expect(samples.map { Int($0).magnitude }.max().map { $0 > 19_000 } == true)
    }

    var info = Info()
    try file.withPath { path in
      let sound = open(path, 0x10, &info)  // SFM_READ
      try check(sound, info)
    }
    info = Info()
    // The library owns the descriptor and closes it.
    let sound = openDescriptor(try file.reopen().rawValue, 0x10, &info, 1)
    try check(sound, info)
  }

  @Test func `libmagic knows a picture by its bytes and by its path`() throws {
    let library = "libmagic.so.1"
    let open = try function("magic_open", library, as: (@convention(c) (CInt) -> OpaquePointer?).self)
    let load = try function(
      "magic_load", library, as: (@convention(c) (OpaquePointer, UnsafePointer<CChar>?) -> CInt).self)
    let buffer = try function(
      "magic_buffer", library,
      as: (@convention(c) (OpaquePointer, UnsafeRawPointer?, Int) -> UnsafePointer<CChar>?).self)
    let named = try function(
      "magic_file", library,
      as: (@convention(c) (OpaquePointer, UnsafePointer<CChar>) -> UnsafePointer<CChar>?).self)
    let close = try function("magic_close", library, as: (@convention(c) (OpaquePointer) -> Void).self)
    let file = try file("picture", of: "magic")

    let magic = try #require(open(0x2 | 0x10))  // MAGIC_SYMLINK | MAGIC_MIME_TYPE
    defer { close(magic) }
    try #require(load(magic, nil) == 0)
    let byBytes = try file.withBytes { bytes in
      bytes.withUnsafeBytes { buffer(magic, $0.baseAddress, $0.count).map { String(cString: $0) } }
    }
    #expect(byBytes == "image/png")
    #expect(try file.withPath { named(magic, $0).map { String(cString: $0) } } == "image/png")
  }

  @Test func `A library that needs another one opens after it, and in a tree by itself`() throws {
    typealias Outer = @convention(c) () -> CInt
    let files = try ArchiveReader(path: Archives.path("libraries")).extract()
    let outer = try #require(files["libouter.so"])
    try withExtendedLifetime(#require(files["libinner.so"]).openLibrary()) {
      let library = try outer.openLibrary()
      #expect(unsafeBitCast(try #require(library.symbol("outer")), to: Outer.self)() == 43)
    }
    let tree = try ArchiveReader(path: Archives.path("libraries")).tree()
    try tree.withPath(of: "libouter.so") { path in
      let handle = try #require(dlopen(path, RTLD_NOW | RTLD_LOCAL))
      defer { dlclose(handle) }
      #expect(unsafeBitCast(try #require(dlsym(handle, "outer")), to: Outer.self)() == 43)
    }
  }

  @Test func `A library that lacks the one it needs is reported in the loader's words`() async {
    await #expect(processExitsWith: .success) {
      let files = try ArchiveReader(path: Archives.path("libraries")).extract()
      do { _ = try files["libouter.so"]!.openLibrary() } catch let error as ArchiveError {
        exit(error.reason.contains("libinner.so: cannot open shared object file") ? 0 : 2)
      }
      exit(1)
    }
  }
}
