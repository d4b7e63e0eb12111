import Foundation
import Glibc
import TestSupport
import Testing

/// `run --image`: a command in a container image.
struct RunImageTests {
  private static let applets = ["cat", "env", "id", "ls", "mkdir", "mv", "pwd", "sh", "stat", "touch"]

  /// An image with busybox(1).
  private static func image(_ config: String, _ more: [Bytes] = []) throws -> Image {
    let program = try Bytes(contentsOfFile: "/bin/busybox")
    let base =
      Tar.entry("bin/busybox", program, mode: 0o755)
      + applets.flatMap { Tar.entry("bin/" + $0, type: "2", link: "busybox") }
      + Tar.entry("etc/passwd", Bytes("root:x:0:0::/root:/bin/sh\nann:x:7:8::/home/ann:/bin/sh\n".utf8))
      + Tar.entry("etc/group", Bytes("root:x:0:\nann:x:8:\nstaff:x:50:ann\n".utf8)) + Tar.end
    var image = Image([base] + more.map { $0 + Tar.end }, config: config)
    image.packed = { Gzip.deflated($0) }
    return image
  }

  private static let simple = #"{"Env": ["PATH=/bin"], "Cmd": ["sh"]}"#

  private func run(
    _ config: String = simple, _ more: [Bytes] = [], _ options: [ByteString] = [], _ command: ByteString...
  ) throws -> Outcome {
    try Program.run(
      ["run", "--image", "-q"] + options + ["i.tar"] + (command.isEmpty ? [] : ["--"] + command),
      beside: ["i.tar": ByteString(Image.layout(Self.image(config, more)))])
  }

  @Test func `Entrypoint, command, environment and working directory are combined as docker run does`() throws
  {
    let config =
      #"{"Env": ["PATH=/bin", "A=b=c", "A=d"], "WorkingDir": "made/here", "Entrypoint": ["env", "sh", "-c"], "Cmd": ["pwd; echo $A"]}"#
    #expect(try run(config) == .done("/made/here\nd\n"))
    #expect(try run(config, [], [], "echo $# $0", "x", "{y}") == .done("1 x\n"))
    #expect(try run(config, [], ["--exec", "pwd"]) == .done("/made/here\n"))
    #expect(try run(Self.simple, [], [], "sh", "-c", "exit 7").end == .exit(7))
    // Nothing of the caller's environment, and what docker(1) adds.
    var command = Program.command("run", "--image", "-q", "i.tar", "--", "env")
    command.environment = ["SECRET": "x", "TERM": "dumb"]
    try withTemporaryDirectory { directory in
      try ByteString(Image.layout(Self.image(Self.simple))).write(to: directory + "/i.tar")
      command.directory = directory
      #expect(Set(try command.run().output.lines.map(\.text)) == ["PATH=/bin", "HOME=/root", "TERM=dumb"])
    }
    let none = try run("{}")
    #expect(none.end == .exit(2) && none.errors.text.contains("give one after --"))
  }

  @Test func `Advice about a layer is for an image`() throws {
    let layer = Tar.entry("d", [1]) + Tar.entry("d/f", [1])
    let outcome = try run(Self.simple, [layer], [], "id")
    #expect(outcome.end == .exit(125))
    let advice = ": a file is in the place of its directory \"d\". Have the image built again"
    #expect(outcome.errors.text.contains(advice), "\(outcome.errors)")
  }

  @Test(arguments: [
    ("", "0:0"), ("ann", "7:8"), ("7:50", "7:50"), ("123", "123:0"),
  ])
  func `The command is the image's user, found in its own files`(user: String, ids: String) throws {
    let config = "{\"Env\": [\"PATH=/bin\"], \"User\": \"\(user)\"}"
    let outcome = try run(
      config, [], [], "sh", "-c", "echo $(id -u):$(id -g); stat -c %u /bin/busybox; cat $0", "/etc/group")
    let owner = geteuid() == 0 ? "0" : ids.prefix { $0 != ":" }
    #expect(outcome.end == .exit(0), "\(outcome)")
    #expect(outcome.output.lines.prefix(2).map(\.text) == [ids, String(owner)])
    let unknown = try run(#"{"User": "nobody-knows"}"#, [], [], "id")
    #expect(unknown.end == .exit(125) && unknown.errors.text.contains("nobody-knows"))
  }

  @Test func `An ordinary user is the image's user`() throws {
    guard geteuid() == 0 else { return }
    // The build's directory may be closed to others: program and archive are reached by descriptors.
    try withTemporaryDirectory { directory in
      let path = directory + "/i.tar"
      try ByteString(Image.layout(Self.image(Self.simple))).write(to: path)
      var command = Command(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
        "exec \"$0\" run --image -q - -- sh -c 'id -u; id -g; stat -c %u:%g /bin; touch /x && ls /x; mkdir /d && mv /etc /d && ls /d'",
        Program.path)
      command.input = .file(path)
      let outcome = try command.run()
      guard outcome.end != .exit(126), !outcome.errors.text.contains("cannot open shared object") else {
        return
      }
      #expect(outcome == .done("0\n0\n0:0\n/x\netc\n"))
    }
  }

  @Test func `The image is all that the command sees, and it may write`() throws {
    let script: ByteString = """
      ls -a /; echo x > /new && cat /new; echo lost > /dev/null; test -c /dev/null && ls /dev/shm && test -d /proc/$$ &&
      touch /etc/passwd /dev/shm/y && cat /etc/resolv.conf | head -c 0 && ls /proc/self/fd | wc -l && pwd
      """
    let config = #"{"Env": ["PATH=/bin"]}"#
    let link =
      Tar.entry("bin/test", type: "2", link: "busybox") + Tar.entry("bin/wc", type: "2", link: "busybox")
      + Tar.entry("bin/head", type: "2", link: "busybox")
    let outcome = try run(config, [link + Tar.entry("proc", type: "2", link: "/bin")], [], "sh", "-c", script)
    // ls(1) has its directory open.
    #expect(outcome == .done(".\n..\nbin\ndev\netc\nproc\nx\n4\n/\n"), "\(outcome)")
    #expect(access("/new", F_OK) != 0)
  }

  @Test func `What the command has changed is listed, and not what was there for it`() throws {
    try withTemporaryDirectory { directory in
      try ByteString(Image.layout(Self.image(Self.simple))).write(to: directory + "/i.tar")
      let outcome = try Program.shell(
        "$m run --image -q --changes list i.tar -- sh -c 'echo x > /new; echo y >> /etc/group'; echo $?; cat list",
        in: directory)
      #expect(outcome == .done("0\nM etc/group\nA new\n"))
    }
  }

  @Test func `A working directory leads nowhere but into the image`() throws {
    for target in ["/proc/self/fd/3", "/proc/1/root", "/proc/self/cwd"] {
      let layer = Tar.entry("w", type: "2", link: target)
      let outcome = try run(
        #"{"Env": ["PATH=/bin"], "WorkingDir": "/w/tmp"}"#, [layer], [], "sh", "-c", "ls -a /w/tmp; pwd")
      #expect(outcome.end == .exit(125) && outcome.output == "", "\(outcome)")
      let direct = try run(
        "{\"Env\": [\"PATH=/bin\"], \"WorkingDir\": \"\(target)/tmp/inside\"}", [], [], "sh", "-c", "ls -a .")
      #expect(direct == .done(".\n..\n"))
    }
  }

  @Test func `What a layer has below its own link is where the link leads`() throws {
    let layer = Tar.entry("usr", type: "2", link: "/opt") + Tar.entry("usr/bin/tool", Bytes("x".utf8))
    #expect(try run(Self.simple, [layer], [], "cat", "/opt/bin/tool") == .done("x"))
  }

  @Test func `list shows the files of an image, its layers over each other`() throws {
    let layers = [
      Tar.entry("usr/lib/x", Bytes("low".utf8)) + Tar.entry("lib", type: "2", link: "/usr/lib")
        + Tar.entry("gone", [1]) + Tar.end,
      Tar.entry("lib/y", Bytes("1234".utf8), mode: 0o600) + Tar.entry(".wh.gone")
        + Tar.entry("z", type: "1", link: "usr/lib/x") + Tar.end,
    ]
    let files = ["i.tar": ByteString(Image.layout(Image(layers)))]
    let times = "0  2023-11-14T22:13:20Z"
    let listed = try Program.run("list", "--image", "i.tar", "usr/lib/*", "lib", "z", beside: files)
    #expect(
      listed
        == .done(
          """
          symlink              \(times)  lib -> /usr/lib
          file                 3  2023-11-14T22:13:20Z  usr/lib/x
          file                 4  2023-11-14T22:13:20Z  usr/lib/y
          file                 3  2023-11-14T22:13:20Z  z

          """))
    for options: [ByteString] in [[], ["--sandbox", "off"]] {
      let all = try Program.run(["list", "--image", "--json"] + options + ["i.tar"], beside: files)
      #expect(all.end == .exit(0) && all.errors == "")
      #expect(all.output.lines.count == 6, "\(all)")
      #expect(!all.output.text.contains("gone") && !all.output.text.contains("uid"))
    }
    let devices =
      Tar.entry("./dev/null", type: "3") + Tar.entry("dev/zero", type: "3") + Tar.entry("p", type: "6")
    let lacking = try Program.run(
      "list", "--image", "i.tar", beside: ["i.tar": ByteString(Image([devices + Tar.end]).saved())])
    #expect(lacking.end == .exit(0) && lacking.output == "")
    #expect(
      lacking.errors == "memarchive: i.tar: warning: entry \"p\": left out: a fifo is not made\n",
      "\(lacking)")
    let none = try Program.run("list", "--image", "--exclude", "*", "i.tar", beside: files)
    #expect(none.end == .exit(2))
    let missing = try Program.run("list", "--image", "i.tar", "gone", beside: files)
    #expect(
      missing.end == .exit(2) && missing.errors.text.contains("there is no entry \"gone\""), "\(missing)")
    #expect(try Program.run("list", "--image", "tree.tar.gz").end == .exit(1))
    #expect(try Program.run("list", "--platform", "linux/arm64", "tree.tar.gz").end == .exit(2))
    #expect(try Program.run("list", "--image", "-r", "tree.tar.gz").end == .exit(2))
  }

  @Test func `A platform that the image is not for is an error, and a processor that is not here is told`()
    throws
  {
    var image = try Self.image(Self.simple)
    image.architecture = "s390x"
    image.layers.append(Tar.entry("bin/alien", Self.alien, mode: 0o755) + Tar.end)
    for archive in [Image.layout(image), image.saved()].map({ ByteString($0) }) {
      let refused = try Program.run(
        "run", "--image", "--platform", "linux/arm64", "i.tar", "--", "true", beside: ["i.tar": archive])
      #expect(refused.end == .exit(125))
      #expect(
        refused.errors.text.contains("no image for linux/arm64, but for linux/s390x. Ask for that platform"),
        "\(refused)")
      // The processor counts, not what an image says of itself.
      for platform: [ByteString] in [[], ["--platform", "linux/s390x"]] {
        let run: [ByteString] = ["run", "--image", "-q"] + platform + ["i.tar", "--"]
        #expect(try Program.run(run + ["pwd"], beside: ["i.tar": archive]) == .done("/\n"))
        let foreign = try Program.run(run + ["alien"], beside: ["i.tar": archive])
        #expect(foreign.end == .exit(126))
        #expect(
          foreign.errors.lines.last?.text.hasPrefix(
            "memarchive: the image is for linux/s390x, and this machine is linux/") == true, "\(foreign)")
      }
    }
  }

  /// The header of a program for another processor (elf(5)): big-endian, of the machine 22, an IBM S/390.
  private static let alien: Bytes =
    [0x7F, 0x45, 0x4C, 0x46, 2, 2, 1] + Bytes(repeating: 0, count: 9) + [0, 2, 0, 22, 0, 0, 0, 1]
    + Bytes(repeating: 0, count: 104)

  @Test func `What is wrong is said before the command runs`() throws {
    var image = try Self.image(Self.simple)
    image.lies = .layer
    let lying = try Program.run(
      "run", "--image", "i.tar", "--", "sh", beside: ["i.tar": ByteString(Image.layout(image))])
    #expect(lying.end == .exit(125) && lying.errors.text.contains("digest"), "\(lying)")
    let none = try Program.run("run", "--image", "tree.tar.gz", "--", "true")
    #expect(none.end == .exit(125) && none.errors.text.contains("no container image"), "\(none)")
    #expect(try run(Self.simple, [], [], "absent").end == .exit(127))
    #expect(try run(#"{"Env": ["PATH=/bin"], "Entrypoint": [""]}"#).end == .exit(127))
    #expect(try run(#"{"Env": ["PATH=/no:"], "WorkingDir": "/bin", "Cmd": ["pwd"]}"#) == .done("/bin\n"))
    #expect(try run(Self.simple, [], [], "/etc/passwd").end == .exit(126))
    let platform = try run(Self.simple, [], ["--platform", "linux/vax", "--tag", "other"], "sh")
    #expect(platform.end == .exit(125), "\(platform)")
    for options: [ByteString] in [
      ["--tree"], ["--hold"], ["-r"], ["--library-path", "lib"], ["--mode", "600"], ["--at", "/srv"],
      ["--writable"],
      ["--changes", "-"], ["--platform", "linux"],
    ] {
      #expect(try run(Self.simple, [], options, "sh").end == .exit(2), "\(options)")
    }
    #expect(try Program.run("run", "--tag", "x", "tree.tar.gz", "--", "true").end == .exit(2))
  }
}
