import Glibc
import TestSupport
import Testing

/// Archives that are written: by `convert`, and by `run --save`.
struct ConvertTests {
  private let archive = ByteString(
    Tar.archive(
      Tar.entry("d/", type: "5", mode: 0o755), Tar.entry("d/old", Bytes("old\n".utf8)),
      Tar.entry("l", type: "2", link: "d/old"), Tar.entry("h", type: "1", link: "d/old"),
      Tar.entry("gone", [1])))

  private func shell(_ script: ByteString) throws -> Outcome {
    try withTemporaryDirectory { directory in
      try archive.write(to: directory + "/a.tar")
      return try Program.shell(script, in: directory)
    }
  }

  @Test func `An archive becomes another format, which other programs read`() throws {
    let outcome = try shell(
      """
      for f in tar tar.gz tgz tar.bz2 tar.xz tar.zst; do
        $m convert a.tar b.$f && bsdtar -tf b.$f | tr '\\n' ' ' && bsdtar -xOf b.$f d/old
      done
      $m convert --exclude gone a.tar b.zip && unzip -Z1 b.zip | tr '\\n' ' ' && unzip -p b.zip h
      $m convert --to tar --include 'd*' - - < a.tar | tar t
      ls
      """)
    let all: ByteString = "d/ d/old gone h l old\n"
    #expect(
      outcome
        == .done(
          all * 6 + "d/ d/old h l old\n" + "d/\nd/old\n"
            + "a.tar\nb.tar\nb.tar.bz2\nb.tar.gz\nb.tar.xz\nb.tar.zst\nb.tgz\nb.zip\n"))
  }

  @Test func `The output is the same wherever and whenever it is written`() throws {
    let outcome = try shell(
      """
      $m convert --no-owners --mtime 1700000000 a.tar b.zip
      TZ=Asia/Tokyo $m convert --no-owners --mtime 1700000000 a.tar c.zip
      cmp b.zip c.zip && unzip -lv b.zip | grep -c 2023-11-14
      """)
    #expect(outcome == .done("5\n"))
  }

  @Test func `A zip has times before 1980, and the least for those who do not look for them`() throws {
    let outcome = try shell(
      """
      $m convert --include d/old --mtime 100000000 a.tar b.zip; $m list b.zip
      TZ=UTC unzip -Z -T b.zip | grep -o 19730303.*; python3 -c 'import zipfile; print(zipfile.ZipFile("b.zip").infolist()[0].date_time)'
      """)
    #expect(
      outcome
        == .done(
          "file                 4  1973-03-03T09:46:40Z  d/old\n19730303.094640 d/old\n(1980, 1, 1, 0, 0, 0)\n"
        ))
  }

  @Test func `What fails leaves what was there`() throws {
    let outcome = try shell(
      """
      echo before > b.tar; head -c 700 a.tar > cut.tar
      $m convert cut.tar b.tar; echo $?; cat b.tar
      $m convert --level 9 a.tar b.tar; echo $?; cat b.tar
      $m convert a.tar nowhere/b.tar; echo $?
      $m convert a.tar b.rar 2>/dev/null; echo $?
      $m convert --to zip a.tar /dev/full; echo $?
      ls
      """)
    #expect(outcome.output == "1\nbefore\n1\nbefore\n4\n2\n4\na.tar\nb.tar\ncut.tar\n")
    for text in [
      "cut.tar: ", "b.tar: a plain tar has no level of compression",
      "cannot write \"nowhere/b.tar\": No such file or directory",
      "/dev/full: there is no room where the archive is written (write: No space left on device)",
    ] {
      #expect(outcome.errors.text.contains(text), "\(text)")
    }
  }

  @Test func `A link is followed, and one that leads to nothing is not written through`() throws {
    let outcome = try shell(
      """
      ln -s there.tar link.tar; ln -s nowhere.tar dangling.tar; echo before > there.tar
      $m convert a.tar link.tar; echo $?; readlink link.tar; tar tf there.tar | wc -l
      $m convert a.tar dangling.tar; echo $?
      $m run --tree --save dangling.tar a.tar -- true; echo $?
      readlink dangling.tar; ls -A
      """)
    #expect(
      outcome.output
        == "0\nthere.tar\n5\n4\n125\nnowhere.tar\na.tar\ndangling.tar\nlink.tar\nthere.tar\n")
    #expect(
      outcome.errors.lines.allSatisfy {
        $0.text.hasPrefix(
          "memarchive: cannot write \"dangling.tar\": it is a symbolic link to a file that does not")
      }, "\(outcome)")
  }

  @Test func `A tree is saved as the command has left it, also over its own archive`() throws {
    let outcome = try shell(
      """
      chmod 640 a.tar; ln -s a.tar link.tar
      $m run --tree --save link.tar --changes list --chdir a.tar -- sh -c 'echo new >> d/old; rm gone; mkdir e; ln d/old e/o'
      cat list; $m cat link.tar d/old; bsdtar -tf a.tar; stat -c %a a.tar; readlink link.tar
      $m run --tree --save b.tar.zst a.tar -- sh -c 'exit 7'; echo $?
      $m run --tree --save b.tar.zst a.tar -- sh -c 'kill -9 $$'; echo $?
      $m run --tree --save b.tar.zst a.tar -- no-such-command 2>/dev/null; echo $?
      $m run --tree --save b.tar.zst a.tar -- true; zstd -dc b.tar.zst | tar t
      ls -A
      """)
    let names: ByteString = "d/\nd/old\ne/\ne/o\nh\nl\n"
    #expect(
      outcome.output
        == "M d/old\nA e\nA e/o\nD gone\nold\nnew\n" + names + "640\na.tar\n7\n137\n127\n" + names
        + "a.tar\nb.tar.zst\nlink.tar\nlist\n")
    // A shell may tell of the signal.
    #expect(
      outcome.errors.lines.count { $0 == "memarchive: b.tar.zst: not written, because the command failed" }
        == 2)
  }

  @Test func `Nothing is left of an archive whose writer is killed`() throws {
    let outcome = try shell(
      """
      $m run --tree --save b.tar a.tar -- sh -c 'ls -A "$1"; kill -9 $PPID' sh "$PWD"; echo $?
      ls -A
      """)
    #expect(outcome.output == "a.tar\n137\na.tar\n")
  }

  @Test func `A signal ends the writing of a tree, whose command has ended`() throws {
    let outcome = try shell(
      """
      mkfifo b.tar; exec 9<>b.tar
      # More than a pipe takes, so that it waits for a reader.
      $m run --tree --save b.tar a.tar -- truncate -s 1M "{d/old}" & p=$!
      head -c 1 <&9 > first; kill -TERM $p
      cat <&9 > rest & c=$!
      wait $p; echo $?; kill $c
      """)
    #expect(outcome.output == "143\n")
  }
}
