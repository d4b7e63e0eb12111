#!/usr/bin/env bash
# newcomer.sh DIRECTORY: what a newcomer's four programs, built in DIRECTORY, say of real archives.
set -euo pipefail

bin=$1
fixtures=$(dirname "$(realpath "$0")")/../Fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# says EXPECTED COMMAND...
says() {
  local expected=$1 answer
  shift
  answer=$("$@") || {
    echo "FAILED: $*: status $?" >&2
    exit 1
  }
  # A pattern, because FluidSynth's versions let a tune ring out for longer or shorter.
  # shellcheck disable=SC2053
  [[ $answer == $expected ]] || {
    printf 'FAILED: %s said\n%s\nand not\n%s\n' "$*" "$answer" "$expected" >&2
    exit 1
  }
  printf '%s\n' "$answer"
}

# An EPUB, whose first entry is stored, and a JAR.
python3 - "$work" <<'END'
import sys
import zipfile

for name, entries in {
    "book.epub": {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OEBPS/content.opf"/></rootfiles></container>',
        "OEBPS/content.opf": "<package><metadata><dc:title>The Sealed Book</dc:title></metadata></package>",
    },
    "app.jar": {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\r\nMain-Class: org.example.Main\r\n", "x.class": "x"},
}.items():
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}", "w") as archive:
        for entry, text in entries.items():
            method = zipfile.ZIP_STORED if entry in ("mimetype", "x.class") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, text, method)
END
head -c 3000 "$fixtures/demo/demo.zip" >"$work/cut.zip"

says 'music/tune.mid: [1-9]* s, audible' "$bin/Player" "$fixtures/demo/demo.zip"
says 'demo.zip: 7 files, 66922 bytes
tree.tar.xz: 5 files, 1541 bytes
cut.zip: refused, truncated
book.epub: 3 files, 183 bytes
README.md: refused, unrecognizedFormat
big.tar.zst: 3 files, 3150301 bytes' \
  "$bin/Uploads" "$fixtures/demo/demo.zip" "$fixtures/tree.tar.xz" "$work/cut.zip" "$work/book.epub" "$fixtures/README.md" \
  "$fixtures/big.tar.zst"
says '3 files, * bytes packed
stored: mimetype
title: The Sealed Book' "$bin/Inspector" "$work/book.epub"
says '2 files, * bytes packed
stored: x.class
Main-Class: org.example.Main' "$bin/Inspector" "$work/app.jar"
if [ "$(uname -m)" = x86_64 ]; then
  says 'lib/libgreet.so: Hello, newcomer, from a library that was never on a disk.' "$bin/PluginHost" "$fixtures/demo/demo.zip"
fi
