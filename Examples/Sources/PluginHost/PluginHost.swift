import MemArchive

/// Loads each shared library of an archive that has an entry point `greet`, and calls it: `PluginHost plugins.zip`.
@main
struct PluginHost {
  private typealias Greet = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<CChar>, Int) -> CInt

  static func main() throws {
    let files = try ArchiveReader(path: CommandLine.arguments[1]).extract(.glob("*.so"))
    for (name, file) in files {
      let plugin = try file.openLibrary()
      guard let address = plugin.symbol("greet") else {
        print("\(name): no plug-in")
        continue
      }
      let greet = unsafeBitCast(address, to: Greet.self)
      let text = String(unsafeUninitializedCapacity: 200) { buffer in
        buffer.withMemoryRebound(to: CChar.self) { Int(greet("newcomer", $0.baseAddress!, $0.count)) }
      }
      print("\(name): \(text)")
      // The library is loaded as long as the object lives.
      withExtendedLifetime(plugin) {}
    }
  }
}
