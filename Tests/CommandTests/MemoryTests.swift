import TestSupport
import Testing

/// What an archive of little holds in names, attributes and warnings does not fill the program's memory.
@Suite(.slow) struct MemoryTests {
  /// Makes 120 MB of one kind in a few kilobytes, and says what the program has taken at most, in KiB, on the last line: Python
  /// is among what the tests need, and its wait4(2) tells of the program alone, not of its worker.
  private static let script = """
    import gzip, os, sys
    def octal(value, digits): return b'%0*o\\0' % (digits, value)
    def header(name, size, kind):
      block = bytearray(512)
      block[:len(name)] = name
      block[100:108] = octal(0o644, 7)
      block[124:136] = octal(size, 11)
      block[136:148] = octal(0, 11)
      block[148:156] = b' ' * 8
      block[156:157] = kind
      block[257:265] = b'ustar\\x0000'
      block[148:156] = b'%06o\\0 ' % sum(block)
      return bytes(block)
    def pax(key, value):
      record = b' ' + key + b'=' + value + b'\\n'
      length = len(record) + 5
      record = b'%d' % length + record
      return header(b'x', len(record), b'x') + record + b'\\0' * (-len(record) % 512)
    kind, program, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    if kind == 'warnings': entries, count = header(b'd' * 95, 0, b'0') * 1000, 150
    else: entries, count = (pax(kind.encode(), b'x' * 59990) + header(b'a', 0, b'0')) * 100, 20
    member = gzip.compress(entries)
    with open('archive.tar.gz', 'wb') as archive:
      for _ in range(count): archive.write(member)
      archive.write(gzip.compress(header(b'z', 0, b'0') + b'\\0' * 1024))
    null = os.open('/dev/null', os.O_RDWR)
    child = os.posix_spawn(program, [program] + arguments, os.environ,
      file_actions=[(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)])
    _, status, usage = os.wait4(child, 0)
    print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
    """

  private static let commands = [["list"], ["test"], ["digest"], ["each"], ["run"], ["run", "--tree"]]
  /// Debug builds take minutes to write or hash such names.
  private static let cases =
    [("path", ["run"])] + ["SCHILY.xattr.user.a", "warnings"].flatMap { kind in commands.map { (kind, $0) } }

  @Test(arguments: cases)
  func `It takes less than 100 MiB, or is refused`(_ kind: String, _ command: [String]) throws {
    for sandbox in ["off", "required"] {
      try withTemporaryDirectory { directory in
        let options = ["--sandbox", sandbox, "--max-total", "1M", "archive.tar.gz"]
        let rest =
          switch command[0] {
          case "run": ["--", "true", "{z}"]
          // A process for each of 150,000 files would take a while.
          case "each": ["--include", "z", "--", "true"]
          default: [String]()
          }
        let words = command + options + rest
        var python = Command(
          ["python3", "-c", "\(Self.script)", "\(kind)", Program.path] + words.map { "\($0)" })
        python.directory = directory
        let outcome = try python.run()
        let numbers = outcome.output.text.split { " \n".contains($0) }.compactMap { Int($0) }
        try #require(numbers.count == 2, "\(outcome)")
        // Success, a limit, or either before the command of `run`.
        #expect([0, 3, 125].contains(numbers[0]), "\(outcome)")
        #expect(numbers[1] < 100 << 10, "\(command) \(sandbox): \(numbers[1]) KiB")
      }
    }
  }
}
