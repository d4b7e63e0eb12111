import TestSupport
import Testing

/// Archives on a server, of which the program fetches what it needs.
struct RemoteTests {
  /// Runs lines of sh(1) in a directory with small.zip, large.zip of 30 MB and tree.tar.gz, all of them on a server at `$s`, which
  /// answers as the first part of a path says; `fetched` prints the bytes that it sent, and `asked` the requests that it had.
  private func shell(_ script: String, tls: Bool = false) throws -> Outcome {
    let certificate = """
      openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
      openssl req -newkey rsa:2048 -nodes -keyout k -out r -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
      openssl x509 -req -in r -CA ca.pem -CAkey ca.key -out c -days 2 -copy_extensions copy 2>/dev/null
      """
    let whole = """
      cp "$1" tree.tar.gz; cp "$2" small.zip; mkfifo port
      python3 - <<'END'
      import zipfile
      with zipfile.ZipFile("large.zip", "w") as file:
        for number in range(300):
          file.writestr(f"package/module{number}.so", bytes([number % 256]) * 100_000)
      END
      \(tls ? certificate : "")
      python3 "$3" . \(tls ? "c k" : "") >port & server=$!
      trap 'kill $server' EXIT
      read number <port
      s=\(tls ? "https://localhost" : "http://127.0.0.1"):$number
      log() { curl -s --cacert ca.pem $s/log; }
      asked() { log | cut -d ' ' -f 1; }
      fetched() { log | cut -d ' ' -f 2; }
      \(script)
      """
    return try withTemporaryDirectory { directory in
      try Program.shell(
        ByteString(whole.utf8), "\(Fixture.path("tree.tar.gz"))", "\(Fixture.path("zip-deflated.zip"))",
        "\(Repository.path("Tests/CommandTests/server.py"))", in: directory)
    }
  }

  private func expectDone(
    _ script: String, tls: Bool = false, _ output: ByteString = "",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try shell(script, tls: tls)
    #expect(outcome == .done(output), sourceLocation: sourceLocation)
  }

  @Test func `Every command reads an address`() throws {
    try expectDone(
      """
      for archive in small.zip tree.tar.gz; do
        for command in "list -l" digest test; do
          $m $command $archive | sed "s/$archive//" >local && $m $command $s/fine/$archive | sed "s,$s/fine/$archive,," >remote &&
          cmp local remote || exit 1
        done
      done
      $m cat $s/fine/tree.tar.gz tree/hello.txt | wc -c
      $m run --tree $s/redirect/tree.tar.gz -- wc -c {tree/hello.txt} | cut -d ' ' -f 1
      $m cat --sandbox off "$s/fine/tree.tar.gz?token=1" tree/hello.txt | wc -c
      sha256sum <tree.tar.gz | cut -c 1-64 >sum
      $m cat --sha256 $(cat sum) $s/fine/tree.tar.gz tree/hello.txt | wc -c
      """, "21\n21\n21\n21\n")
  }

  @Test func `A listing takes less than a hundredth of an archive, and few requests`() throws {
    let outcome = try shell(
      """
      $m list $s/fine/large.zip | wc -l; fetched; asked
      $m cat $s/fine/large.zip package/module7.so | wc -c; fetched
      """)
    #expect(outcome.errors == "")
    let numbers = outcome.output.lines.compactMap { Int($0.text) }
    try #require(numbers.count == 5, "\(outcome)")
    #expect(numbers[0] == 300)
    #expect(numbers[1] < 300_000)
    #expect(numbers[2] <= 4)
    #expect(numbers[3] == 100_000)
    #expect(numbers[4] - numbers[1] < 600_000)
  }

  @Test func `A password and a query are told to nobody`() throws {
    try expectDone(
      """
      port=${s##*:}; name=127.0.0.1:$port
      for path in fine/small.zip missing; do
        a="http://somebody:secret@$name/$path?token=hidden"
        $m list -v $a; $m test --json $a; $m test --sha256 $(printf %064d 0) $a; $m digest $a; $m each --json $a -- true
        $m cat $a nosuch; $m run --tree $a -- true {nosuch}
      done >said 2>&1
      grep -q "http://$name/fine/small.zip" said && grep -q "http://$name/missing" said && ! grep -E 'secret|hidden' said
      """)
  }

  @Test func `Certificates are verified`() throws {
    let outcome = try shell(
      """
      SSL_CERT_FILE=ca.pem $m cat $s/fine/tree.tar.gz tree/hello.txt | wc -c
      $m list $s/fine/tree.tar.gz
      """, tls: true)
    #expect(outcome.output == "21\n")
    #expect(outcome.end == .exit(4))
    #expect(outcome.errors.lines.first.map { $0.text.contains("ertificate") } == true, "\(outcome)")
  }

  @Test(arguments: [
    ("whole", "sends the file only as a whole"), ("unnamed", "names no version"),
    ("weak", "names no version"),
    ("changed", "has changed"), ("changed-date", "has changed"), ("careless", "has changed"),
    ("longer-file", "has changed"), ("nowhere", "has changed"), ("senseless", "has changed"),
    ("elsewhere", "has changed"), ("shifted", "were asked for"), ("short", " bytes, 4 times"),
    ("long", "more than"),
    ("cut", ", 4 times"), ("packed", "compresses"), ("always-busy", "status 503, 4 times"),
    ("always-dropping", ", 4 times"), ("loop", "edirect"), ("secret", "status 401"),
  ])
  func `What a server does wrong is an error`(_ kind: String, _ reason: String) throws {
    for sandbox in ["off", "required"] {
      let outcome = try shell("$m list --sandbox \(sandbox) $s/\(kind)/large.zip")
      #expect(outcome.end == .exit(4), "\(outcome)")
      #expect(outcome.output == "")
      #expect(outcome.errors.lines.count == 1)
      #expect(outcome.errors.lines.first?.text.contains(reason) == true, "\(outcome)")
    }
  }

  @Test func `A change that a server hides is found by checksums, and by a digest`() throws {
    let outcome = try shell(
      """
      $m list $s/hidden/large.zip | wc -l
      $m cat $s/hidden/large.zip package/module7.so; echo $?
      $m test -q $s/hidden/large.zip >/dev/null; echo $?
      $m list --sha256 $(sha256sum <large.zip | cut -c 1-64) $s/hidden/large.zip; echo $?
      """)
    #expect(outcome.output == "300\n1\n1\n1\n", "\(outcome)")
    #expect(outcome.errors.lines.last?.text.contains("its SHA-256 is") == true, "\(outcome)")
  }

  @Test func `What passes is asked for again, and what has a date is enough`() throws {
    try expectDone(
      "for kind in busy dropping dated; do $m list $s/$kind/large.zip | wc -l; done", "300\n300\n300\n")
  }

  @Test func `No file, and no server`() throws {
    let outcome = try shell(
      "$m list $s/fine/none; $m list http://127.0.0.1:1/a.zip; $m list https:///a.zip; $m list $s/fine/")
    let lines = outcome.errors.lines.map(\.text)
    try #require(lines.count == 4, "\(outcome)")
    #expect(lines[0].contains("status 404"))
    #expect(lines[1].contains("onnect"))
    #expect(lines[2].contains("cannot be opened"))
    #expect(lines[3].contains("status 404"))
  }
}
