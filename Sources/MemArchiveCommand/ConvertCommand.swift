import ArgumentParser
import MemArchive
import SystemPackage

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", _superCommandName: "memarchive",
    abstract: "Write an archive as tar or zip, without unpacking it to a disk.",
    discussion: """
      The archive is read into sealed memory, as a whole and in the sandbox, and then written. OUTPUT, which may be - for \
      standard output, is replaced once all is written. Its name tells the format: .tar, .tar.gz or .tgz, .tar.bz2, .tar.xz, \
      .tar.zst, .zip.

      The output depends on nothing but the entries: they are sorted by the bytes of their names. In a zip, a hard link is a \
      copy, and there are no extended attributes. What the format cannot hold, such as a device, is an error; leave it out with \
      --exclude.
      """)

  @Argument(
    help: ArgumentHelp("The archive, or - for standard input.", valueName: "archive"), completion: .file())
  var archive: String
  @Argument(
    help: ArgumentHelp("The file to write, or - for standard output.", valueName: "output"),
    completion: .file())
  var output: String
  @Option(
    name: .customLong("to"),
    help: ArgumentHelp(
      "The format, whatever the output's name: tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip.",
      valueName: "format"),
    transform: Self.format)
  var format: ArchiveWriter.Format?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How hard to compress: 1 to 9, for tar.zst to 22. The default is the compression's own.",
      valueName: "number"))
  var level: Int?
  @Option(
    name: .customLong("mtime"), parsing: .unconditional,
    help: ArgumentHelp(
      "The time of modification of all entries, in seconds since 1970, instead of their own.",
      valueName: "seconds"))
  var modified: Int64?
  @Flag(name: .customLong("no-owners"), help: "Leave out which users and groups entries belong to.")
  var leavesOutOwners = false
  @OptionGroup var globs: GlobOptions
  @OptionGroup var options: ReadingOptions

  private static func format(_ text: String) throws -> ArchiveWriter.Format {
    guard let format = ArchiveWriter.Format(fileName: "a." + text) else {
      throw ValidationError("A format is one of tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip.")
    }
    return format
  }

  func validate() throws {
    if let level, !(1...22).contains(level) {
      throw ValidationError("--level takes 1 to 9, for tar.zst to 22.")
    }
    if output == "-", format == nil { throw ValidationError("--to tells the format of standard output.") }
    if output != "-", format == nil, ArchiveWriter.Format(fileName: output) == nil {
      throw ValidationError("\(output): \(ArchiveFile.formatHint) Or give it with --to.")
    }
  }

  func run() throws {
    let archive = try Archive(self.archive, options)
    let files: MemFiles
    do {
      // Copied because each access to the options goes through ArgumentParser.
      let (include, exclude) = (globs.include, globs.exclude)
      files = try archive.reader.extract(
        globs.admitsAll
          ? .all : .matching { Glob.admits($0, include: include, exclude: exclude) }, in: archive.context)
    } catch {
      throw archive.report(error)
    }
    archive.report(files.protection, options)
    archive.report(files.warnings, options)
    let file = try ArchiveFile(output, format, failing: .system)
    let writer = ArchiveWriter(
      file.format,
      options: .init {
        $0.level = level
        if !leavesOutOwners { $0.owners = .kept }
        if let modified { $0.modified = .fixed(ArchiveEntry.Time(seconds: modified)) }
      })
    try file.write { descriptor throws(ArchiveError) in try writer.write(files, to: descriptor) }
  }
}
