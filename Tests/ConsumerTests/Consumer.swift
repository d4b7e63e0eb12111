import TestSupport
import Testing

/// How a program gets at the entries of an archive: a column of the matrix.
enum Way: String, CaseIterable, Sendable {
  /// `/proc/self/fd/N`: `memarchive run`, `MemFile.withPath`.
  case bare
  /// A link of the entry's own name: `MemFile.withPath(named:)`.
  case named
  /// A tree without a mount point: `ArchiveReader.tree()`.
  case tree
  /// A real path: `memarchive run --tree`.
  case mounted
}

/// A program that takes paths, and its output when it finds its file: a row of the matrix.
struct Consumer: CustomTestStringConvertible, Sendable {
  /// As in the article.
  let name: String
  let archive: String
  /// With `{NAME}` for the path of an entry, and `{.}` for the directory of them all.
  let command: [ByteString]
  /// Part of what it writes to standard output when it works, and only then.
  let says: ByteString
  let works: Set<Way>

  init(
    _ name: String, _ archive: String, _ command: [ByteString], says: ByteString,
    works: Set<Way> = Set(Way.allCases)
  ) {
    (self.name, self.archive, self.command, self.says, self.works) = (name, archive, command, says, works)
  }

  var testDescription: String { name }
}

extension Consumer {
  /// The programs of every test run.
  static let always = [
    Consumer(
      "FluidSynth: a SoundFont and a tune", "demo",
      ["sh", "-c", ByteString(loudness.utf8), "sh", "{music/tiny.sf2}", "{music/tune.mid}"], says: "loud"),
    Consumer(
      "FreeType, by fontconfig's fc-scan", "demo",
      ["fc-scan", "--format", "%{{family} %{{style}\n", "{fonts/memarchive-pixel.ttf}"],
      says: "MemArchive Pixel Regular"),
    Consumer(
      "libsndfile, by sndfile-info", "sndfile", ["sndfile-info", "{tone.wav}"], says: "Sample Rate : 8000"),
    // file(1) describes a link rather than its target.
    Consumer(
      "libmagic, by file", "magic", ["file", "-b", "{picture}"], says: magic, works: [.tree, .mounted]),
    Consumer("libmagic, by file -L", "magic", ["file", "-bL", "{picture}"], says: magic),
    // It resolves links and opens the resulting name.
    Consumer(
      "SQLite, by sqlite3", "sqlite", ["sqlite3", "-readonly", "{data.db}", "select sum(n) from t"],
      says: "42",
      works: [.mounted]),
    // The DTD is beside it.
    Consumer(
      "libxml2, by xmllint --valid", "xml", ["xmllint", "--nonet", "--valid", "--noent", "{letter.xml}"],
      says: "<text>from the DTD beside it</text>", works: [.tree, .mounted]),
    Consumer(
      "OpenSSL: a certificate", "demo",
      ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", "{tls/cert.pem}"],
      says: "subject=CN=demo.invalid,O=MemArchive"),
    Consumer(
      "dlopen of a library that needs a second one beside it ($ORIGIN)", "libraries",
      ["python3", "-c", "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).outer())", "{libouter.so}"],
      says: "43",
      works: [.tree, .mounted]),
    Consumer(
      "dlopen of both, the needed one first", "libraries",
      [
        "python3", "-c", "import ctypes, sys; print([ctypes.CDLL(name) for name in sys.argv[1:]][1].outer())",
        "{libinner.so}", "{libouter.so}",
      ], says: "43"),
    // A script's directory is that of its link's target.
    Consumer(
      "Python: a program with a package", "package", ["python3", "{app/__main__.py}"],
      says: "a package says hello to python", works: [.tree, .mounted]),
    Consumer(
      "Python: a zipapp", "package", ["python3", "{app.pyz}"], says: "a package says hello to python"),
    Consumer(
      "ld.so: a dynamic program", "programs", ["{ld.so}", "{printf}", "%s\\n", "a program says hello"],
      says: "a program says hello"),
    Consumer(
      "librsvg: a drawing", "svg", ["sh", "-c", "rsvg-convert \"$1\" | file -b -", "sh", "{plain.svg}"],
      says: "PNG image data, 8 x 8"),
    // It resolves the drawing's path and looks beside it; an empty picture has 90 bytes.
    Consumer(
      "librsvg: a drawing with a picture beside it", "svg",
      ["sh", "-c", "rsvg-convert \"$1\" | wc -c", "sh", "{linked.svg}"], says: "95", works: [.mounted]),
    Consumer(
      "Python: an extension module", "extension",
      ["env", "PYTHONPATH={.}", "python3", "-c", "import answers; print(answers.answer())"], says: "42",
      works: [.tree, .mounted]),
    Consumer(
      "HDF5, by h5dump: a link to another file", "linked", ["h5dump", "{links.h5}"], says: "(0,0): 6, 36",
      works: [.tree, .mounted]),
    Consumer(
      "netCDF-4, by ncdump", "netcdf", ["ncdump", "-v", "v", "{t.nc}"], says: "v = 6, 36, 42",
      works: [.tree, .mounted]),
    Consumer(
      "PROJ: a grid", "grids",
      ["sh", "-c", "echo 1 2 50 0 | PROJ_DATA=$1 cct +proj=vgridshift +grids=flat.gtx", "sh", "{.}"],
      says: "8.0000", works: [.tree, .mounted]),
    Consumer(
      "hunspell: a dictionary", "spelling",
      ["sh", "-c", "echo memarchive | hunspell -d \"$1\" -G", "sh", "{.}/words"], says: "memarchive",
      works: [.tree, .mounted]),
    Consumer(
      "espeak-ng: a language", "speech", ["espeak-ng", "--path={.}", "-v", "odd", "-q", "-x", "hello"],
      says: "h@l'oU",
      works: [.tree, .mounted]),
    Consumer(
      "GStreamer: a plug-in", "plugins",
      [
        "env", "GST_PLUGIN_SYSTEM_PATH=", "GST_REGISTRY=/nonexistent/registry", "GST_REGISTRY_FORK=no",
        "GST_PLUGIN_PATH={.}",
        "gst-inspect-1.0", "audiotestsrc",
      ], says: "Audio test source", works: [.tree, .mounted]),
    Consumer(
      "QEMU: a disk image with a backing file", "disks",
      ["qemu-io", "-r", "-f", "qcow2", "-c", "read -v 0 32", "{top.qcow2}"], says: "from.the.backing",
      works: [.tree, .mounted]),
    Consumer(
      "YARA: rules that include others", "rules", ["yara", "{main.yar}", "{sample}"], says: "Outer",
      works: [.tree, .mounted]),
  ]

  /// The programs of `make consumers`.
  static let more = [
    // Its format has no signature.
    Consumer(
      "ffprobe, by extension", "film",
      ["ffprobe", "-v", "error", "-show_entries", "format=format_name", "-of", "csv=p=0", "{raw.g722}"],
      says: "g722",
      works: [.named, .tree, .mounted]),
    Consumer(
      "GDAL: a shapefile", "shapes", ["ogrinfo", "-ro", "-al", "-q", "{towns.shp}"],
      says: "NAME (String) = Zwickau",
      works: [.tree, .mounted]),
    Consumer(
      "libcdio: a cue sheet", "disc", ["cd-info", "--no-cddb", "--cue-file={disc.cue}"], says: "audio",
      works: [.tree, .mounted]),
    Consumer("Poppler, by pdftotext", "document", ["pdftotext", "{page.pdf}", "-"], says: "Read by path"),
    Consumer(
      "git: a bare repository", "repository",
      [
        "sh", "-c", "git -c safe.directory='*' --git-dir \"$(dirname \"$1\")\" log --format=%s", "sh",
        "{work.git/HEAD}",
      ], says: "The only commit", works: [.tree, .mounted]),
    Consumer(
      "gcc: a source with headers", "headers", ["gcc", "-E", "-P", "-x", "c", "{src/main.c}"],
      says: "int answer = (41 + 1);", works: [.tree, .mounted]),
    Consumer(
      "node: a program with a module", "modules", ["node", "{main.js}"], says: "a module says hello to node",
      works: [.mounted]),
    Consumer(
      "MaxMind DB, by mmdblookup", "places",
      ["mmdblookup", "--file", "{places.mmdb}", "--ip", "1.2.3.4", "country", "iso_code"], says: "\"XX\""),
    Consumer(
      "tzdata, by date", "zones",
      ["sh", "-c", "TZ=:$1 date -d @0 '+%H:%M %Z'", "sh", "{zoneinfo/Nowhere/Odd}"],
      says: "22:37 ODD"),
    // It resolves a path's directories.
    Consumer(
      "Java: a jar", "jar", ["java", "-jar", "{hello.jar}"], says: "a jar says hello to java",
      works: [.bare, .mounted]),
    Consumer(
      "ImageMagick: a picture", "pixels", ["convert", "{picture.png}", "-format", "%w x %h", "info:"],
      says: "31 x 17",
      works: [.tree, .mounted]),
    Consumer(
      "tesseract: a language", "letters",
      ["tesseract", "{word.png}", "-", "--tessdata-dir", "{.}/known", "-l", "odd"],
      says: "Memory", works: [.tree, .mounted]),
    Consumer(
      "FFmpeg: a playlist (HLS)", "playlist",
      ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", "{list.m3u8}"],
      says: "4.0",
      works: [.tree, .mounted]),
    Consumer(
      "node: a native module", "addon", ["node", "-p", "require(process.argv[1])", "{answers.node}"],
      says: "42",
      works: [.mounted]),
  ]

  private static let magic: ByteString = "PNG image data, 31 x 17, 8-bit/color RGB"

  /// FluidSynth prints the same for silence and for music, so the samples have to be examined.
  private static let loudness =
    #"fluidsynth -niq -T raw -O s16 -F /dev/stdout "$1" "$2" 2>/dev/null | "# + measure

  /// A command that distinguishes music from silence.
  static let measure = #"""
    python3 -c '
    import array, sys
    samples = array.array("h")
    data = sys.stdin.buffer.read()
    samples.frombytes(data[:len(data) // 2 * 2])
    print("loud" if samples and max(map(abs, samples)) > 500 else "silent")'
    """#
}
